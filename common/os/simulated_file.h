#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "common/os/simulated_env.h"

namespace dragonfly::common::os {

// A file or directory of SimulatedEnv; its lock guards it. Content is in chunks, so that sparse
// files cost what is written. `durable` is what the disk has: chunks are shared with the live
// content until one of them is written again.
struct SimulatedNode {
  static constexpr size_t kChunkBytes = 16384;
  using Chunk = std::array<std::byte, kChunkBytes>;
  using Chunks = std::map<uint64_t, std::shared_ptr<Chunk>>;  // by number

  uint32_t mode = 0;
  uint64_t inode = 0;
  absl::Time modified;
  bool locked = false;
  std::map<std::string, std::shared_ptr<SimulatedNode>> entries;  // of a directory

  uint64_t size = 0;
  uint64_t reserved_bytes = 0;  // by Allocate
  Chunks chunks;
  uint64_t durable_size = 0;
  Chunks durable;
  std::set<uint64_t> dirty;  // chunks whose live and durable content may differ

  bool is_directory() const { return (mode & 0170000U) == 0040000U; }
  uint64_t AllocatedBytes() const;
  void Read(uint64_t offset, std::span<std::byte> out) const;
  // How many chunks a write of [offset, offset + length) would have to add.
  uint64_t NewChunks(uint64_t offset, uint64_t length) const;
  void Write(uint64_t offset, std::span<const std::byte> data);
  void Resize(uint64_t new_size);
  void Sync();
  // After a power failure: the durable state, or, with `random`, that plus any of the unsynced
  // sectors.
  void DropUnsynced(std::mt19937_64* random);
};

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedEnv& env, std::shared_ptr<SimulatedNode> node, std::string path,
                bool writable, uint64_t generation);
  ~SimulatedFile() override;

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override;
  absl::Status WriteAt(uint64_t offset, std::span<const std::byte> data) override;
  absl::Status Allocate(uint64_t size) override;
  absl::Status Truncate(uint64_t size) override;
  absl::Status SyncData() override;
  absl::StatusOr<FileInfo> Stat() const override;
  int fd() const override { return -1; }
  absl::Status Close() override;

 private:
  absl::Status CheckAlive(std::string_view call) const;  // with the lock held
  absl::Status CheckRoom(uint64_t more_bytes, std::string_view call) const;

  SimulatedEnv& env_;
  const std::shared_ptr<SimulatedNode> node_;
  const std::string path_;
  const bool writable_;
  const uint64_t generation_;
  bool closed_ = false;
};

}  // namespace dragonfly::common::os
