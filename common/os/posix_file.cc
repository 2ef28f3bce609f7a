#include "common/os/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/os/errno_status.h"
#include "common/os/unclosed_file.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(UniqueFd fd, std::string path, bool writable)
      : fd_(std::move(fd)), path_(std::move(path)), writable_(writable) {}

  ~PosixFile() override {
    if (writable_ && fd_.valid()) ReportUnclosedFile(path_);
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const auto at = status::CheckedCast<off_t>(offset + done);
      if (!at) return ErrnoStatus(EINVAL, "pread", path_);
      const ssize_t n = ::pread(fd_.get(), out.data() + done, out.size() - done, *at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "pread", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    size_t done = 0;
    while (done < data.size()) {
      const auto at = status::CheckedCast<off_t>(offset + done);
      if (!at) return ErrnoStatus(EFBIG, "pwrite", path_);
      const ssize_t n = ::pwrite(fd_.get(), data.data() + done, data.size() - done, *at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "pwrite", path_);
      if (n == 0) return ErrnoStatus(EIO, "pwrite", path_);
      done += static_cast<size_t>(n);
    }
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size) override {
    if (size == 0) return absl::OkStatus();
    const auto length = status::CheckedCast<off_t>(size);
    if (!length) return ErrnoStatus(EFBIG, "fallocate", path_);
    while (::fallocate(fd_.get(), 0, 0, *length) != 0) {
      if (errno != EINTR) return ErrnoStatus(errno, "fallocate", path_);
    }
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    const auto length = status::CheckedCast<off_t>(size);
    if (!length) return ErrnoStatus(EFBIG, "ftruncate", path_);
    while (::ftruncate(fd_.get(), *length) != 0) {
      if (errno != EINTR) return ErrnoStatus(errno, "ftruncate", path_);
    }
    return absl::OkStatus();
  }

  absl::Status SyncData() override {
    while (::fdatasync(fd_.get()) != 0) {
      if (errno != EINTR) return ErrnoStatus(errno, "fdatasync", path_);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<FileInfo> Stat() const override {
    struct stat st = {};
    if (::fstat(fd_.get(), &st) != 0) return ErrnoStatus(errno, "fstat", path_);
    return InfoOf(st);
  }

  int fd() const override { return fd_.get(); }

  absl::Status Close() override {
    const int fd = fd_.Release();
    if (fd < 0) {
      return status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                status::ErrorReason::kInternal,
                                "close " + path_ + ": closed already");
    }
    // After EINTR the descriptor is gone too; trying again could close somebody else's.
    if (::close(fd) != 0 && errno != EINTR) return ErrnoStatus(errno, "close", path_);
    return absl::OkStatus();
  }

 private:
  UniqueFd fd_;
  const std::string path_;
  const bool writable_;
};

int FlagsOf(OpenMode open_mode) {
  switch (open_mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateExclusive:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> OpenPosixFile(const std::string& path, OpenMode open_mode,
                                                    uint32_t mode) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), FlagsOf(open_mode) | O_CLOEXEC | O_NOFOLLOW, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return ErrnoStatus(errno, "open", path);
  return std::make_unique<PosixFile>(UniqueFd(fd), path, open_mode != OpenMode::kRead);
}

FileInfo InfoOf(const struct stat& st) {
  FileInfo info;
  info.size = st.st_size < 0 ? 0 : static_cast<uint64_t>(st.st_size);
  info.allocated_bytes = st.st_blocks < 0 ? 0 : static_cast<uint64_t>(st.st_blocks) * 512;
  info.device = st.st_dev;
  info.inode = st.st_ino;
  info.mode = st.st_mode;
  info.uid = st.st_uid;
  info.gid = st.st_gid;
  info.modified = absl::TimeFromTimespec(st.st_mtim);
  return info;
}

}  // namespace dragonfly::common::os
