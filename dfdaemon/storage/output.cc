#include "dfdaemon/storage/output.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/storage/scoped_identity.h"

namespace dragonfly::dfdaemon::storage {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  // Reports what the kernel remembered of the writes.
  [[nodiscard]] int Close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

absl::Status Refuse(std::string message) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kOutputPath, message);
}

absl::Status Failed(std::string_view what, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  const ErrorReason reason = full           ? ErrorReason::kNoSpace
                             : error == EIO ? ErrorReason::kDiskFault
                                            : ErrorReason::kOutputPath;
  return MakeStatus(
      full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kFailedPrecondition, reason,
      absl::StrCat("output path ", path, ": ", std::string(what), ": ", std::strerror(error)));
}

// Absolute, without "." and "..", of a bearable length.
absl::Status Split(const std::string& path, std::string* folder, std::string* name) {
  if (path.empty() || path[0] != '/')
    return Refuse(absl::StrCat("output path '", path, "' is not absolute"));
  const size_t slash = path.rfind('/');
  *folder = slash == 0 ? "/" : path.substr(0, slash);
  *name = path.substr(slash + 1);
  if (name->empty() || *name == "." || *name == "..") {
    return Refuse(absl::StrCat("output path ", path, " is a directory; name a file"));
  }
  if (name->size() > 255 || path.size() > 4095 || path.find('\0') != std::string::npos) {
    return Refuse(
        absl::StrCat("output path ", path.substr(0, 100), "... is longer than a path can be"));
  }
  return absl::OkStatus();
}

// The folder, reached without following a symbolic link: whoever may change the path could
// otherwise turn it somewhere else meanwhile.
absl::StatusOr<Fd> OpenFolder(const std::string& path, const std::string& folder) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, AT_FDCWD, folder.c_str(), &how, sizeof(how));
  if (fd >= 0) return Fd(static_cast<int>(fd));
  switch (errno) {
    case ENOENT:
      return Refuse(absl::StrCat("output path ", path, " is not exist: make the directory ", folder,
                                 " first"));
    case ENOTDIR:
      return Refuse(absl::StrCat("output path ", path, ": ", folder, " is not a directory"));
    case ELOOP:
      return Refuse(absl::StrCat("output path ", path, ": ", folder,
                                 " goes through a symbolic link; give the real path"));
    default:
      return Failed("cannot open its directory", path, errno);
  }
}

absl::Status CheckTarget(int folder_fd, const std::string& name, const Output& output) {
  struct stat info {};
  if (fstatat(folder_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return Failed("cannot be looked at", output.path, errno);
  }
  if (S_ISDIR(info.st_mode))
    return Refuse(absl::StrCat("output path ", output.path, " is a directory; name a file"));
  if (!S_ISREG(info.st_mode)) {
    return Refuse(
        absl::StrCat("output path ", output.path, " is not a regular file; remove it first"));
  }
  if (!output.overwrite) {
    return Refuse(absl::StrCat("output path ", output.path,
                               " is already exist; use --overwrite to replace it"));
  }
  return absl::OkStatus();
}

std::string TemporaryName(const std::string& name) {
  char suffix[32];
  std::snprintf(suffix, sizeof(suffix), ".%016llx.part",
                static_cast<unsigned long long>(common::os::PosixEnv().Random()));
  return absl::StrCat(".", name.substr(0, 200), suffix);
}

// A new file in the folder, made with the caller's rights.
absl::StatusOr<Fd> CreateTemporary(int folder_fd, const std::string& name, const Output& output) {
  const int fd =
      openat(folder_fd, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("cannot be created", output.path, errno);
  // The mode a file usually has: this process's own umask is stricter.
  if (fchmod(fd, 0644) != 0) {
    const int error = errno;
    ::close(fd);
    unlinkat(folder_fd, name.c_str(), 0);
    return Failed("chmod", output.path, error);
  }
  return Fd(fd);
}

absl::Status CopyByKernel(int from, int to, uint64_t length, const std::string& path,
                          uint64_t* copied) {
  while (*copied < length) {
    const size_t want =
        static_cast<size_t>(std::min<uint64_t>(length - *copied, uint64_t{1} << 30));
    auto in = static_cast<off64_t>(*copied);
    auto out = static_cast<off64_t>(*copied);
    const ssize_t n = copy_file_range(from, &in, to, &out, want, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
                  errno == EPERM)) {
      return absl::UnimplementedError("copy_file_range");
    }
    if (n < 0) return Failed("copying", path, errno);
    if (n == 0)
      return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDiskFault,
                        "the stored content is too short");
    *copied += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status CopyByHand(const common::os::File& content, int to, uint64_t length,
                        const std::string& path, uint64_t copied) {
  std::vector<std::byte> block(core::kBlockBytes);
  while (copied < length) {
    const std::span<std::byte> want(
        block.data(), static_cast<size_t>(std::min<uint64_t>(block.size(), length - copied)));
    absl::StatusOr<size_t> read = content.ReadAt(copied, want);
    if (!read.ok()) return read.status();
    if (*read == 0)
      return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDiskFault,
                        "the stored content is too short");
    for (size_t done = 0; done < *read;) {
      const ssize_t n =
          pwrite(to, block.data() + done, *read - done, static_cast<off_t>(copied + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Failed("writing", path, errno);
      done += static_cast<size_t>(n);
    }
    copied += *read;
  }
  return absl::OkStatus();
}

absl::StatusOr<PublishMethod> Fill(const common::os::File& content, uint64_t length, Fd& to,
                                   const Output& output) {
  PublishMethod method = PublishMethod::kCopy;
  uint64_t copied = 0;
  absl::Status filled = absl::UnimplementedError("no descriptor");
  if (content.fd() >= 0) {
    if (ioctl(to.get(), FICLONE, content.fd()) == 0 &&
        ftruncate(to.get(), static_cast<off_t>(length)) == 0) {
      method = PublishMethod::kReflink;
      filled = absl::OkStatus();
    } else {
      filled = CopyByKernel(content.fd(), to.get(), length, output.path, &copied);
    }
  }
  if (absl::IsUnimplemented(filled))
    filled = CopyByHand(content, to.get(), length, output.path, copied);
  if (!filled.ok()) return filled;
  if (to.Close() != 0) return Failed("closing", output.path, errno);
  return method;
}

absl::Status Rename(int folder_fd, const std::string& from, const std::string& to,
                    const Output& output) {
  const unsigned flags = output.overwrite ? 0 : RENAME_NOREPLACE;
  if (renameat2(folder_fd, from.c_str(), folder_fd, to.c_str(), flags) == 0)
    return absl::OkStatus();
  if (errno == EEXIST) {
    return Refuse(absl::StrCat("output path ", output.path,
                               " is already exist; use --overwrite to replace it"));
  }
  return Failed("cannot be renamed to", output.path, errno);
}

// With the caller's rights, as everything here, and only for the owner of the content: a link is
// the content itself. The kernel's own rule (fs.protected_hardlinks) can be off, and lets pass
// whoever may write the file.
absl::Status LinkInto(const common::os::File& content, int folder_fd, const std::string& name,
                      const Output& output) {
  const absl::StatusOr<common::os::FileInfo> info = content.Stat();
  if (!info.ok()) return info.status();
  if (info->uid != output.uid.value_or(geteuid())) {
    return MakeStatus(
        absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
        absl::StrCat("output path ", output.path,
                     ": cannot be a hard link, because the stored content belongs to user ",
                     info->uid, "; leave out --force-hard-link to get a copy"));
  }
  const std::string from = absl::StrCat("/proc/self/fd/", content.fd());
  if (linkat(AT_FDCWD, from.c_str(), folder_fd, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return absl::OkStatus();
  return Failed("cannot be a hard link to the stored content", output.path, errno);
}

}  // namespace

absl::Status CheckOutput(const Output& output) {
  std::string folder;
  std::string name;
  if (absl::Status split = Split(output.path, &folder, &name); !split.ok()) return split;
  const ScopedIdentity identity(output.uid, output.gid);
  if (!identity.status().ok()) return identity.status();
  absl::StatusOr<Fd> folder_fd = OpenFolder(output.path, folder);
  if (!folder_fd.ok()) return folder_fd.status();
  if (absl::Status target = CheckTarget(folder_fd->get(), name, output); !target.ok())
    return target;
  // Whether a file can be made is only known by making one.
  const std::string temporary = TemporaryName(name);
  absl::StatusOr<Fd> probe = CreateTemporary(folder_fd->get(), temporary, output);
  if (!probe.ok()) return probe.status();
  unlinkat(folder_fd->get(), temporary.c_str(), 0);
  return absl::OkStatus();
}

absl::StatusOr<PublishMethod> PublishFile(const common::os::File& content, uint64_t length,
                                          const Output& output) {
  std::string folder;
  std::string name;
  if (absl::Status split = Split(output.path, &folder, &name); !split.ok()) return split;
  const std::string temporary = TemporaryName(name);
  const bool want_link = output.force_hard_link || output.allow_hard_link;
  absl::StatusOr<PublishMethod> method = PublishMethod::kCopy;
  {
    const ScopedIdentity identity(output.uid, output.gid);
    if (!identity.status().ok()) return identity.status();
    absl::StatusOr<Fd> folder_fd = OpenFolder(output.path, folder);
    if (!folder_fd.ok()) return folder_fd.status();
    if (absl::Status target = CheckTarget(folder_fd->get(), name, output); !target.ok())
      return target;
    absl::StatusOr<Fd> to = CreateTemporary(folder_fd->get(), temporary, output);
    if (!to.ok()) return to.status();
    if (want_link) {
      if (unlinkat(folder_fd->get(), temporary.c_str(), 0) != 0)
        return Failed("unlink", output.path, errno);
      absl::Status linked = absl::UnimplementedError("hard link");
      if (content.fd() >= 0) {
        linked = LinkInto(content, folder_fd->get(), temporary, output);
      }
      if (linked.ok()) {
        method = PublishMethod::kHardLink;
      } else if (output.force_hard_link) {
        return linked;
      } else {
        absl::StatusOr<Fd> again = CreateTemporary(folder_fd->get(), temporary, output);
        if (!again.ok()) return again.status();
        method = Fill(content, length, *again, output);
      }
    } else {
      method = Fill(content, length, *to, output);
    }
    absl::Status done = method.status();
    if (done.ok()) done = Rename(folder_fd->get(), temporary, name, output);
    if (!done.ok()) {
      unlinkat(folder_fd->get(), temporary.c_str(), 0);
      return done;
    }
  }
  return method;
}

}  // namespace dragonfly::dfdaemon::storage
