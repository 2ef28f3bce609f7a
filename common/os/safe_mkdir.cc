#include "common/os/safe_mkdir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <filesystem>
#include <string_view>
#include <utility>

#include "common/os/errno_status.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

constexpr int kMaxLinks = 8;

absl::Status Refuse(const std::string& path, std::string_view why) {
  return status::MakeStatus(absl::StatusCode::kPermissionDenied, status::ErrorReason::kForbidden,
                            "directory " + path + ": " + std::string(why));
}

// One walk from the root (or the working directory) down. `todo` shrinks from the front; a trusted
// link puts its target there.
class Walk {
 public:
  Walk(const std::string& path, uint32_t mode) : mode_(mode) { Prepend(path); }

  absl::Status Run() {
    if (todo_.empty()) return absl::OkStatus();
    if (absl::Status start = Start(absolute_); !start.ok()) return start;
    while (!todo_.empty()) {
      const std::string name = std::move(todo_.front());
      todo_.pop_front();
      if (name == "..") return Refuse(here_ + "/..", "'..' is not allowed; give a plain path");
      if (absl::Status step = Step(name); !step.ok()) return step;
    }
    return absl::OkStatus();
  }

 private:
  void Prepend(const std::string& path) {
    absolute_ = path.starts_with('/');
    std::deque<std::string> parts;
    size_t begin = 0;
    while (begin <= path.size()) {
      size_t end = path.find('/', begin);
      if (end == std::string::npos) end = path.size();
      const std::string part = path.substr(begin, end - begin);
      if (!part.empty() && part != ".") parts.push_back(part);
      begin = end + 1;
    }
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
  }

  absl::Status Start(bool absolute) {
    here_ = absolute ? "" : ".";
    const char* start = absolute ? "/" : ".";
    fd_.Reset(::open(start, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd_.valid()) return ErrnoStatus(errno, "open", start);
    only_root_ = absolute;  // of the working directory's parents we know nothing
    return Check(start, false);
  }

  absl::Status Step(const std::string& name) {
    const std::string path = here_ + "/" + name;
    bool created = false;
    int fd = OpenDirectory(name);
    if (fd < 0 && errno == ENOENT) {
      // Somebody may be faster; then EEXIST, and his directory is checked like any other.
      if (::mkdirat(fd_.get(), name.c_str(), mode_) == 0) {
        created = true;
      } else if (errno != EEXIST) {
        return ErrnoStatus(errno, "mkdir", path);
      }
      fd = OpenDirectory(name);
    }
    if (fd < 0) return NotADirectory(name, path, errno);
    UniqueFd next(fd);
    if (created && ::fchmod(next.get(), mode_) != 0) return ErrnoStatus(errno, "chmod", path);
    fd_ = std::move(next);
    here_ = path;
    return Check(path, todo_.empty());
  }

  int OpenDirectory(const std::string& name) const {
    return ::openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }

  absl::Status NotADirectory(const std::string& name, const std::string& path, int error) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(fd_.get(), name.c_str(), target.data(), target.size());
    if (size < 0) {
      if (error == ENOTDIR) return Refuse(path, "exists and is not a directory");
      return ErrnoStatus(error, "open", path);
    }
    if (!only_root_ || ++links_ > kMaxLinks) {
      return Refuse(path, "is a symbolic link; give the path that it points to");
    }
    std::string text(target.data(), static_cast<size_t>(size));
    // Trusted links start from an absolute, link-free path, so that ".." can be resolved in the
    // text.
    if (!text.starts_with('/')) text = here_ + "/" + text;
    Prepend(std::filesystem::path(text).lexically_normal().string());
    return Start(true);
  }

  absl::Status Check(const std::string& path, bool last) {
    struct stat st = {};
    if (::fstat(fd_.get(), &st) != 0) return ErrnoStatus(errno, "stat", path);
    if (st.st_uid != 0 && st.st_uid != ::geteuid()) {
      return Refuse(path, "belongs to user " + std::to_string(st.st_uid) +
                              ", who is neither root nor this process's user");
    }
    const bool others_write = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (others_write && (last || (st.st_mode & S_ISVTX) == 0)) {
      return Refuse(path, "can be written by its group or by everybody; chmod go-w it");
    }
    only_root_ = only_root_ && st.st_uid == 0 && !others_write;
    return absl::OkStatus();
  }

  const uint32_t mode_;
  std::deque<std::string> todo_;
  bool absolute_ = false;
  UniqueFd fd_;
  std::string here_;
  bool only_root_ = false;  // nobody but root could have put anything into the directories so far
  int links_ = 0;
};

}  // namespace

absl::Status SafeMkdirPosix(const std::string& path, uint32_t mode) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return ErrnoStatus(EINVAL, "mkdir", path);
  }
  return Walk(path, mode).Run();
}

}  // namespace dragonfly::common::os
