#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/os/errno_status.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/piece_sink.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;

constexpr int kPollMilliseconds = 1000;

absl::Status StdoutError(int error) {
  if (error == EPIPE) {
    return common::status::MakeStatus(absl::StatusCode::kAborted, ErrorReason::kOutputPath,
                                      "stdout: its reader has closed it");
  }
  const absl::Status status = common::os::ErrnoStatus(error, "write", "stdout");
  const ErrorReason reason = common::status::ReasonOf(status);
  const bool disk = reason == ErrorReason::kNoSpace || reason == ErrorReason::kDiskFault;
  return common::status::MakeStatus(status.code(), disk ? reason : ErrorReason::kOutputPath,
                                    common::status::StdView(status.message()));
}

absl::Status SpoolError(std::string_view call, const std::string& directory) {
  return common::status::Annotate(
      common::os::ErrnoStatus(errno, call, directory),
      "pieces that came early (the environment variable TMPDIR names another place for them)");
}

class OrderedSink final : public PieceSink {
 public:
  OrderedSink(int fd, std::string spool_directory)
      : fd_(fd), spool_directory_(std::move(spool_directory)) {}

  absl::Status Begin(std::optional<uint64_t>) override { return absl::OkStatus(); }

  absl::Status Write(uint64_t offset, std::string_view data) override {
    if (offset < next_) return absl::OkStatus();  // known already
    if (offset > next_) return Spool(offset, data);
    absl::Status written = WriteOut(data);
    while (written.ok() && !waiting_.empty() && waiting_.begin()->first == next_) {
      const uint64_t length = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      written = CopyOut(length);
    }
    return written;
  }

  absl::Status Commit() override {
    if (waiting_.empty()) return absl::OkStatus();
    return common::status::MakeStatus(
        absl::StatusCode::kInternal, ErrorReason::kInternal,
        common::status::StdView(absl::StrCat("the content has a gap at byte ", next_)));
  }

 private:
  absl::Status WriteOut(std::string_view data) {
    while (!data.empty()) {
      const ssize_t count = ::write(fd_, data.data(), data.size());
      if (count >= 0) {
        next_ += static_cast<uint64_t>(count);
        data.remove_prefix(static_cast<size_t>(count));
      } else if (errno == EAGAIN) {
        // Somebody made the pipe non-blocking. Bounded, so that the loop looks at it again.
        pollfd waiting = {.fd = fd_, .events = POLLOUT, .revents = 0};
        if (::poll(&waiting, 1, kPollMilliseconds) < 0 && errno != EINTR) return StdoutError(errno);
      } else if (errno != EINTR) {
        return StdoutError(errno);
      }
    }
    return absl::OkStatus();
  }

  absl::Status OpenSpool() {
    if (spool_.valid()) return absl::OkStatus();
    spool_.Reset(::open(spool_directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (spool_.valid()) return absl::OkStatus();
    std::string name = spool_directory_ + "/dfget-XXXXXX";  // a file system without O_TMPFILE
    spool_.Reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!spool_.valid()) return SpoolError("open", spool_directory_);
    ::unlink(name.c_str());
    return absl::OkStatus();
  }

  absl::Status Spool(uint64_t offset, std::string_view data) {
    if (absl::Status opened = OpenSpool(); !opened.ok()) return opened;
    waiting_[offset] = data.size();
    while (!data.empty()) {
      const ssize_t count =
          ::pwrite(spool_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SpoolError("write", spool_directory_);
      offset += static_cast<uint64_t>(count);
      data.remove_prefix(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  absl::Status CopyOut(uint64_t length) {
    constexpr uint64_t kBlock = uint64_t{1} << 20;
    const uint64_t begin = next_;
    std::vector<char> block(std::min(kBlock, length));
    for (uint64_t left = length; left > 0;) {
      const ssize_t count = ::pread(spool_.get(), block.data(), std::min(block.size(), left),
                                    static_cast<off_t>(next_));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return SpoolError("read", spool_directory_);
      absl::Status written = WriteOut(std::string_view(block.data(), static_cast<size_t>(count)));
      if (!written.ok()) return written;
      left -= static_cast<uint64_t>(count);
    }
    // Gives the space back; where the file system cannot, it is back when this program ends.
    static_cast<void>(::fallocate(spool_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  static_cast<off_t>(begin), static_cast<off_t>(length)));
    return absl::OkStatus();
  }

  const int fd_;
  const std::string spool_directory_;
  uint64_t next_ = 0;                     // bytes written out
  std::map<uint64_t, uint64_t> waiting_;  // offset and length of what is in the spool
  common::os::UniqueFd spool_;
};

}  // namespace

std::unique_ptr<PieceSink> MakeOrderedSink(int fd, std::string spool_directory) {
  return std::make_unique<OrderedSink>(fd, std::move(spool_directory));
}

}  // namespace dragonfly::dfget::cli
