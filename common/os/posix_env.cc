#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "common/os/env.h"
#include "common/os/errno_status.h"
#include "common/os/posix_file.h"
#include "common/os/safe_mkdir.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

class PosixClock final : public Clock {
 public:
  PosixClock() : origin_(absl::Now() - Monotonic()) {}
  absl::Time Now() const override { return origin_ + Monotonic(); }
  absl::Time WallNow() const override { return absl::Now(); }

 private:
  static absl::Duration Monotonic() {
    timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::DurationFromTimespec(now);
  }
  const absl::Time origin_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using UniqueDirectory = std::unique_ptr<DIR, CloseDirectory>;

// Takes the descriptor, also when it fails.
UniqueDirectory DirectoryOf(UniqueFd fd) {
  UniqueDirectory directory(::fdopendir(fd.get()));
  if (directory) fd.Release();
  return directory;
}

bool IsDirectoryAt(int parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat st = {};
  return ::fstatat(parent, entry.d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

absl::StatusOr<std::vector<DirEntry>> ListDescriptor(UniqueFd fd, const std::string& path) {
  const UniqueDirectory directory = DirectoryOf(std::move(fd));
  if (!directory) return ErrnoStatus(errno, "opendir", path);
  std::vector<DirEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    entries.push_back({std::string(name), IsDirectoryAt(::dirfd(directory.get()), *entry)});
  }
  if (errno != 0) return ErrnoStatus(errno, "readdir", path);
  return entries;
}

UniqueFd OpenDirectoryAt(int parent, const std::string& name) {
  return UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Deletes what is below the directory `name` of `parent`, then itself. Descriptors all the way
// down: a directory that is exchanged for a link meanwhile is not followed.
absl::Status RemoveTreeAt(int parent, const std::string& name, const std::string& path) {
  UniqueFd fd = OpenDirectoryAt(parent, name);
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  const auto entries = ListDescriptor(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)), path);
  if (!entries.ok()) return entries.status();
  for (const DirEntry& entry : *entries) {
    const std::string below = path + "/" + entry.name;
    if (entry.is_directory) {
      if (absl::Status removed = RemoveTreeAt(fd.get(), entry.name, below); !removed.ok()) {
        return removed;
      }
    } else if (::unlinkat(fd.get(), entry.name.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, "unlink", below);
    }
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return ErrnoStatus(errno, "rmdir", path);
  return absl::OkStatus();
}

class RealEnv final : public Env {
 public:
  const Clock& clock() const override { return clock_; }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode open_mode,
                                             uint32_t mode) override {
    return OpenPosixFile(path, open_mode, mode);
  }

  absl::StatusOr<FileInfo> Stat(const std::string& path) override {
    struct stat st = {};
    if (::lstat(path.c_str(), &st) != 0) return ErrnoStatus(errno, "stat", path);
    return InfoOf(st);
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoStatus(errno, "unlink", path);
    return absl::OkStatus();
  }

  absl::Status RemoveTree(const std::string& path) override {
    return RemoveTreeAt(AT_FDCWD, path, path);
  }

  absl::Status Rename(const std::string& from, const std::string& to, bool replace) override {
    const std::string both = from + " -> " + to;
    if (replace) {
      if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "rename", both);
      return absl::OkStatus();
    }
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
      return absl::OkStatus();
    }
    if (errno != EINVAL && errno != ENOSYS) return ErrnoStatus(errno, "rename", both);
    // A file system without the flag (NFS, some FUSE): a hard link never replaces either.
    if (::link(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "link", both);
    if (::unlink(from.c_str()) != 0) return ErrnoStatus(errno, "unlink", from);
    return absl::OkStatus();
  }

  absl::Status Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0)
      return ErrnoStatus(errno, "link", from + " -> " + to);
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const UniqueFd fd = OpenDirectoryAt(AT_FDCWD, path);
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync", path);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<DirEntry>> List(const std::string& path) override {
    UniqueFd fd = OpenDirectoryAt(AT_FDCWD, path);
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    return ListDescriptor(std::move(fd), path);
  }

  absl::Status SafeMkdir(const std::string& path, uint32_t mode) override {
    return SafeMkdirPosix(path, mode);
  }

  absl::StatusOr<DiskSpace> Space(const std::string& path) override {
    struct statvfs st = {};
    if (::statvfs(path.c_str(), &st) != 0) return ErrnoStatus(errno, "statvfs", path);
    return DiskSpace{static_cast<uint64_t>(st.f_blocks) * st.f_frsize,
                     static_cast<uint64_t>(st.f_bavail) * st.f_frsize};
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "flock", path);
      std::array<char, 32> holder{};
      const ssize_t size = ::pread(fd.get(), holder.data(), holder.size(), 0);
      std::string pid(holder.data(), size > 0 ? static_cast<size_t>(size) : 0);
      while (!pid.empty() && pid.back() == '\n') pid.pop_back();
      return status::MakeStatus(absl::StatusCode::kAborted, status::ErrorReason::kConflict,
                                "lock " + path + ": held by process " +
                                    (pid.empty() ? "unknown" : pid) +
                                    "; stop it, or give this one another directory");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 ||
        ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return ErrnoStatus(errno, "write", path);
    }
    return std::make_unique<PosixFileLock>(std::move(fd));
  }

  uint64_t Random() override {
    uint64_t value = 0;
    while (::getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) {
      // Cannot fail for 8 bytes, except by a signal before the pool is ready.
      if (errno != EINTR) std::abort();
    }
    return value;
  }

 private:
  const PosixClock clock_;
};

}  // namespace

Env& PosixEnv() {
  static RealEnv* const env = new RealEnv;  // never destroyed: threads may outlive main
  return *env;
}

}  // namespace dragonfly::common::os
