#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/os/env.h"

namespace dragonfly::common::os {

// Calls that can be made to fail.
enum class Operation : uint8_t {
  kOpen,
  kRead,
  kWrite,
  kAllocate,
  kTruncate,
  kSync,
  kClose,
  kStat,
  kRename,
  kLink,
  kRemove,
  kList,
  kMkdir,
  kSyncDirectory,
  kSpace,
  kLock,
};

// Wraps another Env and breaks what it is told to: errors at the n-th call, torn writes, a process
// that dies between two calls. Deterministic by seed. Any thread. To lose unsynced data, wrap a
// SimulatedEnv and call its Crash().
//
//   FaultyEnv faulty(real);
//   faulty.FailAt(7, ENOSPC);                    // the seventh call fails once
//   faulty.AddFault({.operation = Operation::kSync, .error = EIO, .times = kForever});
class FaultyEnv final : public Env {
 public:
  static constexpr uint64_t kForever = UINT64_MAX;

  struct Fault {
    std::optional<Operation> operation;  // none: any
    std::string path_part;               // only paths that contain it
    uint64_t after = 0;                  // so many matching calls still succeed
    uint64_t times = 1;                  // so many then fail
    int error = 5;                       // errno; EIO
    // A failing write puts a random part of its data, in whole sectors, into the file first.
    bool torn = true;
  };

  explicit FaultyEnv(Env& base, uint64_t seed = 1);

  void AddFault(const Fault& fault);
  void ClearFaults();
  // The n-th call from now (1 = the next) fails once with `error`.
  void FailAt(uint64_t n, int error);
  // After `n` more calls every call fails with EIO: the process is dead, or its disk was pulled
  // out.
  void StopAfter(uint64_t n);
  bool stopped() const;

  // Calls so far, failed ones included: run once without faults to learn how many there are.
  uint64_t calls() const;
  uint64_t faults_injected() const;

  const Clock& clock() const override { return base_.clock(); }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode open_mode,
                                             uint32_t mode = 0600) override;
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to, bool replace = true) override;
  absl::Status Link(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<DirEntry>> List(const std::string& path) override;
  absl::Status SafeMkdir(const std::string& path, uint32_t mode = 0700) override;
  absl::StatusOr<DiskSpace> Space(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  uint64_t Random() override;

 private:
  friend class FaultyFile;

  struct Verdict {
    absl::Status status;
    bool torn = false;
  };
  Verdict Judge(Operation operation, std::string_view path);
  // Whole sectors of a write of `size` bytes that reach the file before it fails.
  size_t TornBytes(size_t size);

  Env& base_;
  mutable std::mutex mutex_;  // guards all below
  std::mt19937_64 random_;
  std::vector<Fault> faults_;
  std::optional<uint64_t> calls_left_;
  uint64_t calls_ = 0;
  uint64_t injected_ = 0;
};

}  // namespace dragonfly::common::os
