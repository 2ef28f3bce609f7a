#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/os/env.h"
#include "common/os/simulated_clock.h"

namespace dragonfly::common::os {

struct SimulatedNode;

// A machine in memory: a file system with a size, a clock that stands until told to move,
// randomness from a seed. Two runs with the same seed and the same calls are the same. Any thread;
// one lock.
//
// It knows what would survive a power failure. Written data survives from File::SyncData on; names
// (create, link, rename, remove) survive from SyncDirectory on, in the order in which they were
// made, as a journaling file system keeps them. Crash() takes away the rest.
class SimulatedEnv final : public Env {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t capacity_bytes = uint64_t{64} << 30U;
    bool allocate_supported = true;
  };

  SimulatedEnv() : SimulatedEnv(Options()) {}
  explicit SimulatedEnv(const Options& options);
  ~SimulatedEnv() override;

  // What happened to the bytes and names that were not synced when the power went.
  enum class Unsynced {
    kLost,   // all of them are gone
    kMixed,  // by the seed: each 512-byte sector of unsynced data and a suffix of the names is lost
  };
  // Power failure and restart: open files and locks are dead (every call on them fails), the rest
  // is as the disk has it.
  void Crash(Unsynced unsynced);
  // The process died and the machine did not: open files and locks are dead, nothing is lost.
  void KillProcess();

  SimulatedClock& simulated_clock() { return clock_; }
  void SetCapacity(uint64_t capacity_bytes);

  const Clock& clock() const override { return clock_; }
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
  friend class SimulatedFile;
  friend class SimulatedLock;
  using NodePtr = std::shared_ptr<SimulatedNode>;

  // A name that was changed and not synced: what `name` in `directory` was before.
  struct NameChange {
    NodePtr directory;
    std::string name;
    NodePtr before;  // null: there was none
    uint64_t operation;
  };
  // A parsed path: the directory that holds the last component, and the component.
  struct Place {
    NodePtr directory;
    std::string name;
    NodePtr node;  // null when there is none
  };

  NodePtr NewNode(uint32_t mode);
  absl::StatusOr<Place> Find(const std::string& path, std::string_view call);
  void SetName(const NodePtr& directory, const std::string& name, NodePtr node);
  uint64_t UsedBytes() const;
  // One file's bytes went from `before` to `after`.
  void CountBytes(uint64_t before, uint64_t after);
  void DropUnsynced(Unsynced unsynced);

  mutable std::mutex mutex_;  // guards all below, and every node
  SimulatedClock clock_;
  std::mt19937_64 random_;
  uint64_t capacity_bytes_;
  const bool allocate_supported_;
  mutable std::optional<uint64_t> used_bytes_;  // of all files; unknown after names changed
  NodePtr root_;
  uint64_t next_inode_ = 2;
  uint64_t operation_ = 0;         // counts calls that change names
  uint64_t generation_ = 0;        // counts crashes; a File of an earlier one is dead
  std::vector<NameChange> names_;  // oldest first
};

}  // namespace dragonfly::common::os
