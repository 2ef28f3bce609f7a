#include "dfdaemon/task/digest_follower.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace dragonfly::dfdaemon::task {
namespace {

// One job on the pool: long enough that the hop does not count, short enough to be cancelled soon.
constexpr uint64_t kStrideBytes = 4 * 1024 * 1024;

absl::Status HashStretch(const storage::TaskFile& file, common::digest::Hasher& hasher,
                         uint64_t offset, uint64_t length) {
  std::vector<std::byte> block(core::kBlockBytes);
  while (length > 0) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(length, block.size()));
    const std::span<std::byte> part(block.data(), n);
    if (absl::Status read = file.ReadAt(offset, part); !read.ok()) return read;
    hasher.Update(std::span<const std::byte>(part));
    offset += n;
    length -= n;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DigestFollower>> DigestFollower::Create(
    common::async::BlockingPool& pool, std::shared_ptr<storage::TaskFile> file,
    common::digest::Algorithm algorithm) {
  absl::StatusOr<common::digest::Hasher> hasher = common::digest::Hasher::Create(algorithm);
  if (!hasher.ok()) return hasher.status();
  return std::unique_ptr<DigestFollower>(
      new DigestFollower(pool, std::move(file), std::move(*hasher)));
}

DigestFollower::DigestFollower(common::async::BlockingPool& pool,
                               std::shared_ptr<storage::TaskFile> file,
                               common::digest::Hasher hasher)
    : pool_(pool),
      file_(std::move(file)),
      hasher_(std::make_shared<common::digest::Hasher>(std::move(hasher))) {}

common::async::Co<absl::StatusOr<common::digest::Digest>> DigestFollower::Run(
    common::async::CancelScope& scope, common::async::Signal& changed) {
  for (;;) {
    const std::optional<uint64_t> length = file_->meta().geometry.content_length;
    if (length.has_value() && hashed_ == *length) co_return hasher_->Finish();
    const uint64_t readable = file_->ReadableUntil(hashed_) - hashed_;
    const bool is_rest = length.has_value() && hashed_ + readable == *length;
    if (readable < kStrideBytes && !is_rest) {
      absl::Status waited = co_await changed.Wait(scope);
      if (!waited.ok()) co_return waited;
      continue;
    }
    const uint64_t stride = std::min(readable, kStrideBytes);
    auto job = [file = file_, hasher = hasher_, offset = hashed_, stride] {
      return HashStretch(*file, *hasher, offset, stride);
    };
    absl::Status hashed = co_await common::async::RunBlocking(pool_, scope, std::move(job));
    if (!hashed.ok()) co_return hashed;
    hashed_ += stride;
  }
}

}  // namespace dragonfly::dfdaemon::task
