#include "common/os/faulty_env.h"

#include <cerrno>
#include <string_view>
#include <utility>

#include "common/os/errno_status.h"

namespace dragonfly::common::os {
namespace {

std::string_view CallName(Operation operation) {
  switch (operation) {
    case Operation::kOpen:
      return "open";
    case Operation::kRead:
      return "pread";
    case Operation::kWrite:
      return "pwrite";
    case Operation::kAllocate:
      return "fallocate";
    case Operation::kTruncate:
      return "ftruncate";
    case Operation::kSync:
      return "fdatasync";
    case Operation::kClose:
      return "close";
    case Operation::kStat:
      return "stat";
    case Operation::kRename:
      return "rename";
    case Operation::kLink:
      return "link";
    case Operation::kRemove:
      return "unlink";
    case Operation::kList:
      return "readdir";
    case Operation::kMkdir:
      return "mkdir";
    case Operation::kSyncDirectory:
      return "fsync";
    case Operation::kSpace:
      return "statvfs";
    case Operation::kLock:
      return "flock";
  }
  return "call";
}

}  // namespace

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyEnv& env, std::unique_ptr<File> base, std::string path)
      : env_(env), base_(std::move(base)), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (auto verdict = env_.Judge(Operation::kRead, path_); !verdict.status.ok()) {
      return verdict.status;
    }
    return base_->ReadAt(offset, out);
  }

  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    const auto verdict = env_.Judge(Operation::kWrite, path_);
    if (verdict.status.ok()) return base_->WriteAt(offset, data);
    if (verdict.torn) {
      const absl::Status partial = base_->WriteAt(offset, data.first(env_.TornBytes(data.size())));
      if (!partial.ok()) return partial;
    }
    return verdict.status;
  }

  absl::Status Allocate(uint64_t size) override {
    if (auto verdict = env_.Judge(Operation::kAllocate, path_); !verdict.status.ok()) {
      return verdict.status;
    }
    return base_->Allocate(size);
  }

  absl::Status Truncate(uint64_t size) override {
    if (auto verdict = env_.Judge(Operation::kTruncate, path_); !verdict.status.ok()) {
      return verdict.status;
    }
    return base_->Truncate(size);
  }

  absl::Status SyncData() override {
    if (auto verdict = env_.Judge(Operation::kSync, path_); !verdict.status.ok()) {
      return verdict.status;
    }
    return base_->SyncData();
  }

  absl::StatusOr<FileInfo> Stat() const override {
    if (auto verdict = env_.Judge(Operation::kStat, path_); !verdict.status.ok()) {
      return verdict.status;
    }
    return base_->Stat();
  }

  int fd() const override { return base_->fd(); }

  absl::Status Close() override {
    // The file is closed whatever Close says.
    const auto verdict = env_.Judge(Operation::kClose, path_);
    absl::Status closed = base_->Close();
    return verdict.status.ok() ? closed : verdict.status;
  }

 private:
  FaultyEnv& env_;
  const std::unique_ptr<File> base_;
  const std::string path_;
};

FaultyEnv::FaultyEnv(Env& base, uint64_t seed) : base_(base), random_(seed) {}

void FaultyEnv::AddFault(const Fault& fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(fault);
}

void FaultyEnv::ClearFaults() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  calls_left_.reset();
}

void FaultyEnv::FailAt(uint64_t n, int error) {
  Fault fault;
  fault.after = n - 1;
  fault.error = error;
  AddFault(fault);
}

void FaultyEnv::StopAfter(uint64_t n) {
  const std::lock_guard lock(mutex_);
  calls_left_ = n;
}

bool FaultyEnv::stopped() const {
  const std::lock_guard lock(mutex_);
  return calls_left_ == uint64_t{0};
}

uint64_t FaultyEnv::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

uint64_t FaultyEnv::faults_injected() const {
  const std::lock_guard lock(mutex_);
  return injected_;
}

FaultyEnv::Verdict FaultyEnv::Judge(Operation operation, std::string_view path) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  if (calls_left_) {
    if (*calls_left_ == 0) {
      ++injected_;
      return {ErrnoStatus(EIO, CallName(operation), std::string(path) + " (stopped)"), false};
    }
    --*calls_left_;
  }
  // Every fault counts the call, also when an earlier one takes it.
  Verdict verdict;
  for (Fault& fault : faults_) {
    if (fault.operation && *fault.operation != operation) continue;
    if (path.find(fault.path_part) == std::string_view::npos) continue;
    if (fault.after > 0) {
      --fault.after;
      continue;
    }
    if (fault.times == 0) continue;
    if (fault.times != kForever) --fault.times;
    if (verdict.status.ok()) {
      verdict = {ErrnoStatus(fault.error, CallName(operation), path), fault.torn};
    }
  }
  if (!verdict.status.ok()) ++injected_;
  return verdict;
}

size_t FaultyEnv::TornBytes(size_t size) {
  constexpr size_t kSectorBytes = 512;
  const std::lock_guard lock(mutex_);
  return random_() % (size / kSectorBytes + 1) * kSectorBytes;
}

absl::StatusOr<std::unique_ptr<File>> FaultyEnv::Open(const std::string& path, OpenMode open_mode,
                                                      uint32_t mode) {
  if (auto verdict = Judge(Operation::kOpen, path); !verdict.status.ok()) return verdict.status;
  auto file = base_.Open(path, open_mode, mode);
  if (!file.ok()) return file.status();
  return std::make_unique<FaultyFile>(*this, *std::move(file), path);
}

absl::StatusOr<FileInfo> FaultyEnv::Stat(const std::string& path) {
  if (auto verdict = Judge(Operation::kStat, path); !verdict.status.ok()) return verdict.status;
  return base_.Stat(path);
}

absl::Status FaultyEnv::Remove(const std::string& path) {
  if (auto verdict = Judge(Operation::kRemove, path); !verdict.status.ok()) return verdict.status;
  return base_.Remove(path);
}

absl::Status FaultyEnv::RemoveTree(const std::string& path) {
  if (auto verdict = Judge(Operation::kRemove, path); !verdict.status.ok()) return verdict.status;
  return base_.RemoveTree(path);
}

absl::Status FaultyEnv::Rename(const std::string& from, const std::string& to, bool replace) {
  if (auto verdict = Judge(Operation::kRename, from + " -> " + to); !verdict.status.ok()) {
    return verdict.status;
  }
  return base_.Rename(from, to, replace);
}

absl::Status FaultyEnv::Link(const std::string& from, const std::string& to) {
  if (auto verdict = Judge(Operation::kLink, from + " -> " + to); !verdict.status.ok()) {
    return verdict.status;
  }
  return base_.Link(from, to);
}

absl::Status FaultyEnv::SyncDirectory(const std::string& path) {
  if (auto verdict = Judge(Operation::kSyncDirectory, path); !verdict.status.ok()) {
    return verdict.status;
  }
  return base_.SyncDirectory(path);
}

absl::StatusOr<std::vector<DirEntry>> FaultyEnv::List(const std::string& path) {
  if (auto verdict = Judge(Operation::kList, path); !verdict.status.ok()) return verdict.status;
  return base_.List(path);
}

absl::Status FaultyEnv::SafeMkdir(const std::string& path, uint32_t mode) {
  if (auto verdict = Judge(Operation::kMkdir, path); !verdict.status.ok()) return verdict.status;
  return base_.SafeMkdir(path, mode);
}

absl::StatusOr<DiskSpace> FaultyEnv::Space(const std::string& path) {
  if (auto verdict = Judge(Operation::kSpace, path); !verdict.status.ok()) return verdict.status;
  return base_.Space(path);
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultyEnv::Lock(const std::string& path) {
  if (auto verdict = Judge(Operation::kLock, path); !verdict.status.ok()) return verdict.status;
  return base_.Lock(path);
}

uint64_t FaultyEnv::Random() {
  const std::lock_guard lock(mutex_);
  return random_();
}

}  // namespace dragonfly::common::os
