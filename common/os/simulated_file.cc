#include "common/os/simulated_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/os/errno_status.h"
#include "common/os/unclosed_file.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1}
                                   << 43U;  // 8 TiB; a larger one is a mistake of the test
constexpr size_t kSectorBytes = 512;

}  // namespace

uint64_t SimulatedNode::AllocatedBytes() const {
  return std::max<uint64_t>(reserved_bytes, chunks.size() * kChunkBytes);
}

void SimulatedNode::Read(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const uint64_t number = (offset + done) / kChunkBytes;
    const size_t within = (offset + done) % kChunkBytes;
    const size_t length = std::min(out.size() - done, kChunkBytes - within);
    if (const auto chunk = chunks.find(number); chunk != chunks.end()) {
      std::memcpy(out.data() + done, chunk->second->data() + within, length);
    } else {
      std::memset(out.data() + done, 0, length);
    }
    done += length;
  }
}

uint64_t SimulatedNode::NewChunks(uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  const uint64_t first = offset / kChunkBytes;
  const uint64_t last = (offset + length - 1) / kChunkBytes;
  uint64_t missing = 0;
  for (uint64_t number = first; number <= last; ++number)
    missing += chunks.contains(number) ? 0U : 1U;
  const uint64_t spare = reserved_bytes / kChunkBytes;
  return chunks.size() + missing <= spare ? 0 : missing;
}

void SimulatedNode::Write(uint64_t offset, std::span<const std::byte> data) {
  size_t done = 0;
  while (done < data.size()) {
    const uint64_t number = (offset + done) / kChunkBytes;
    const size_t within = (offset + done) % kChunkBytes;
    const size_t length = std::min(data.size() - done, kChunkBytes - within);
    std::shared_ptr<Chunk>& chunk = chunks[number];
    if (!chunk) {
      chunk = std::make_shared<Chunk>();
    } else if (chunk.use_count() > 1) {
      chunk = std::make_shared<Chunk>(*chunk);
    }
    std::memcpy(chunk->data() + within, data.data() + done, length);
    dirty.insert(number);
    done += length;
  }
  size = std::max<uint64_t>(size, offset + data.size());
}

void SimulatedNode::Resize(uint64_t new_size) {
  if (new_size < size) {
    const uint64_t first_gone = (new_size + kChunkBytes - 1) / kChunkBytes;
    for (auto it = chunks.lower_bound(first_gone); it != chunks.end(); it = chunks.erase(it)) {
      dirty.insert(it->first);
    }
    // What a later growth uncovers must read as zero.
    if (new_size % kChunkBytes != 0 && chunks.contains(new_size / kChunkBytes)) {
      const std::vector<std::byte> zeros(kChunkBytes - new_size % kChunkBytes);
      Write(new_size, zeros);
    }
    reserved_bytes = std::min(reserved_bytes, first_gone * kChunkBytes);
  }
  size = new_size;
}

void SimulatedNode::Sync() {
  for (const uint64_t number : dirty) {
    if (const auto chunk = chunks.find(number); chunk != chunks.end()) {
      durable[number] = chunk->second;
    } else {
      durable.erase(number);
    }
  }
  dirty.clear();
  durable_size = size;
}

void SimulatedNode::DropUnsynced(std::mt19937_64* random) {
  if (random != nullptr && ((*random)() & 1U) != 0) durable_size = size;
  for (const uint64_t number : dirty) {
    const auto live = chunks.find(number);
    if (random == nullptr || live == chunks.end()) continue;
    const auto old = durable.find(number);
    auto mixed =
        old == durable.end() ? std::make_shared<Chunk>() : std::make_shared<Chunk>(*old->second);
    for (size_t at = 0; at < kChunkBytes; at += kSectorBytes) {
      if (((*random)() & 1U) != 0) {
        std::memcpy(mixed->data() + at, live->second->data() + at, kSectorBytes);
      }
    }
    durable[number] = std::move(mixed);
  }
  const uint64_t end = (durable_size + kChunkBytes - 1) / kChunkBytes;
  durable.erase(durable.lower_bound(end), durable.end());
  dirty.clear();
  chunks = durable;
  size = durable_size;
  reserved_bytes = std::min(reserved_bytes, end * kChunkBytes);
}

SimulatedFile::SimulatedFile(SimulatedEnv& env, std::shared_ptr<SimulatedNode> node,
                             std::string path, bool writable, uint64_t generation)
    : env_(env),
      node_(std::move(node)),
      path_(std::move(path)),
      writable_(writable),
      generation_(generation) {}

SimulatedFile::~SimulatedFile() {
  bool leaked = false;
  {
    const std::lock_guard lock(env_.mutex_);
    leaked = writable_ && !closed_ && generation_ == env_.generation_;
  }
  if (leaked) ReportUnclosedFile(path_);
}

absl::Status SimulatedFile::CheckAlive(std::string_view call) const {
  if (closed_) return ErrnoStatus(EBADF, call, path_);
  if (generation_ != env_.generation_) return ErrnoStatus(EIO, call, path_ + " (before the crash)");
  return absl::OkStatus();
}

absl::Status SimulatedFile::CheckRoom(uint64_t more_bytes, std::string_view call) const {
  if (more_bytes == 0) return absl::OkStatus();
  const uint64_t used = env_.UsedBytes();
  if (used > env_.capacity_bytes_ || more_bytes > env_.capacity_bytes_ - used) {
    return ErrnoStatus(ENOSPC, call, path_);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> SimulatedFile::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("pread"); !alive.ok()) return alive;
  if (offset >= node_->size) return size_t{0};
  const auto length = static_cast<size_t>(std::min<uint64_t>(out.size(), node_->size - offset));
  node_->Read(offset, out.first(length));
  return length;
}

absl::Status SimulatedFile::WriteAt(uint64_t offset, std::span<const std::byte> data) {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("pwrite"); !alive.ok()) return alive;
  if (!writable_) return ErrnoStatus(EBADF, "pwrite", path_);
  if (data.empty()) return absl::OkStatus();
  if (offset > kMaxFileBytes) return ErrnoStatus(EFBIG, "pwrite", path_);
  const uint64_t more = node_->NewChunks(offset, data.size()) * SimulatedNode::kChunkBytes;
  if (absl::Status room = CheckRoom(more, "pwrite"); !room.ok()) return room;
  const uint64_t before = node_->AllocatedBytes();
  node_->Write(offset, data);
  env_.CountBytes(before, node_->AllocatedBytes());
  node_->modified = env_.clock_.WallNow();
  return absl::OkStatus();
}

absl::Status SimulatedFile::Allocate(uint64_t size) {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("fallocate"); !alive.ok()) return alive;
  if (!env_.allocate_supported_) return ErrnoStatus(EOPNOTSUPP, "fallocate", path_);
  if (size > kMaxFileBytes) return ErrnoStatus(EFBIG, "fallocate", path_);
  const uint64_t wanted = (size + SimulatedNode::kChunkBytes - 1) / SimulatedNode::kChunkBytes *
                          SimulatedNode::kChunkBytes;
  const uint64_t have = node_->AllocatedBytes();
  if (absl::Status room = CheckRoom(wanted > have ? wanted - have : 0, "fallocate"); !room.ok()) {
    return room;
  }
  node_->reserved_bytes = std::max(node_->reserved_bytes, wanted);
  env_.CountBytes(have, node_->AllocatedBytes());
  node_->size = std::max(node_->size, size);
  return absl::OkStatus();
}

absl::Status SimulatedFile::Truncate(uint64_t size) {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("ftruncate"); !alive.ok()) return alive;
  if (!writable_) return ErrnoStatus(EINVAL, "ftruncate", path_);
  if (size > kMaxFileBytes) return ErrnoStatus(EFBIG, "ftruncate", path_);
  const uint64_t before = node_->AllocatedBytes();
  node_->Resize(size);
  env_.CountBytes(before, node_->AllocatedBytes());
  return absl::OkStatus();
}

absl::Status SimulatedFile::SyncData() {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("fdatasync"); !alive.ok()) return alive;
  node_->Sync();
  return absl::OkStatus();
}

absl::StatusOr<FileInfo> SimulatedFile::Stat() const {
  const std::lock_guard lock(env_.mutex_);
  if (absl::Status alive = CheckAlive("fstat"); !alive.ok()) return alive;
  FileInfo info;
  info.size = node_->size;
  info.allocated_bytes = node_->AllocatedBytes();
  info.device = 1;
  info.inode = node_->inode;
  info.mode = node_->mode;
  info.modified = node_->modified;
  return info;
}

absl::Status SimulatedFile::Close() {
  const std::lock_guard lock(env_.mutex_);
  if (closed_) {
    return status::MakeStatus(absl::StatusCode::kFailedPrecondition, status::ErrorReason::kInternal,
                              "close " + path_ + ": closed already");
  }
  absl::Status alive = CheckAlive("close");
  closed_ = true;
  return alive;
}

}  // namespace dragonfly::common::os
