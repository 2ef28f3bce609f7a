#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::common::os {

// The operating system as the project sees it: files, directories, clock, randomness. Everything
// that touches a disk goes through an Env, so that a test can fill it, break it, tear its writes
// and lose what was not synced (FaultyEnv), or keep it in memory under a simulated clock
// (SimulatedEnv).
//
// Threading: every method of Env, Clock and File may be called from any thread; two writes to the
// same bytes of a File are the caller's race. All calls block; none is longer than one system call,
// except Sync and Allocate, which belong on a blocking pool. Errors: absl::Status with the reason
// of common/status (kNoSpace for ENOSPC and EDQUOT, kDiskFault for EIO, kNotFound, kConflict for
// EEXIST, kForbidden for EACCES and EPERM). The message names call, path and errno text.

class Clock {
 public:
  virtual ~Clock() = default;
  // Time for deadlines and durations: starts at the wall clock and then only ever moves forward at
  // the rate of the monotonic clock, whatever happens to the wall clock.
  virtual absl::Time Now() const = 0;
  // Time for people, certificates and time stamps; may jump.
  virtual absl::Time WallNow() const = 0;
};

struct FileInfo {
  uint64_t size = 0;
  uint64_t allocated_bytes = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint32_t mode = 0;  // type and permission bits, as st_mode
  uint32_t uid = 0;
  uint32_t gid = 0;
  absl::Time modified;
  bool is_directory() const { return (mode & 0170000U) == 0040000U; }
  bool is_regular() const { return (mode & 0170000U) == 0100000U; }
};

class File {
 public:
  // Closes without reporting; a writable file that was not closed with Close() is logged as a bug.
  virtual ~File() = default;

  // Reads up to out.size() bytes at `offset`; less only at the end of the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;
  // Writes all of `data` at `offset`, or fails; after a failure any part of it may be in the file.
  virtual absl::Status WriteAt(uint64_t offset, std::span<const std::byte> data) = 0;
  // fallocate of [0, size): the size changes, holes before it are reserved. UNIMPLEMENTED where the
  // file system cannot; the file is then sparse.
  virtual absl::Status Allocate(uint64_t size) = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  virtual absl::Status SyncData() = 0;  // fdatasync
  virtual absl::StatusOr<FileInfo> Stat() const = 0;
  // Descriptor for sendfile, ioctl(FICLONE) and the like; -1 for files that have none. Owned by
  // File.
  virtual int fd() const = 0;
  // Reports what the kernel remembered of earlier writes. The file is closed afterwards, whatever
  // it says.
  [[nodiscard]] virtual absl::Status Close() = 0;
};

enum class OpenMode {
  kRead,            // must exist
  kReadWrite,       // must exist
  kCreate,          // read-write, created if missing
  kCreateExclusive  // read-write, ALREADY_EXISTS if there
};

struct DirEntry {
  std::string name;
  bool is_directory = false;
};

struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // to this user
};

// Excludes other processes; the kernel drops it when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Env {
 public:
  virtual ~Env() = default;

  virtual const Clock& clock() const = 0;

  // `mode`: permission bits of a file that is created. Never follows a symbolic link in the last
  // component.
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode open_mode,
                                                     uint32_t mode = 0600) = 0;
  virtual absl::StatusOr<FileInfo> Stat(
      const std::string& path) = 0;                              // does not follow a last link
  virtual absl::Status Remove(const std::string& path) = 0;      // a file
  virtual absl::Status RemoveTree(const std::string& path) = 0;  // a directory and all below it
  // `replace` false: ALREADY_EXISTS instead of replacing `to` (RENAME_NOREPLACE).
  virtual absl::Status Rename(const std::string& from, const std::string& to,
                              bool replace = true) = 0;
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;  // hard link
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  virtual absl::StatusOr<std::vector<DirEntry>> List(const std::string& path) = 0;
  // Creates `path` and missing parents with `mode`, and refuses what an attacker could have
  // prepared: a symbolic link, a foreign owner, group or other write without the sticky bit.
  virtual absl::Status SafeMkdir(const std::string& path, uint32_t mode = 0700) = 0;
  virtual absl::StatusOr<DiskSpace> Space(const std::string& path) = 0;
  // ABORTED when another process holds it; the message carries the pid found in the file.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // Uniform; cryptographic quality in the real environment, seeded in the others.
  virtual uint64_t Random() = 0;
};

// The real one; lives as long as the process.
Env& PosixEnv();

}  // namespace dragonfly::common::os
