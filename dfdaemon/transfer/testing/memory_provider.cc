#include "dfdaemon/transfer/testing/memory_provider.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "common/async/signal.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::transfer::testing {

namespace async = common::async;
using common::id::TaskKey;
using common::status::ErrorReason;
using common::status::MakeStatus;

namespace {

// An unnamed file with `bytes` behind some others, so that offsets matter.
constexpr uint64_t kFileOffset = 12345;

int MakeFile(const std::vector<std::byte>& bytes) {
  const int fd = memfd_create("piece", MFD_CLOEXEC);
  if (fd < 0) std::abort();
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = pwrite(fd, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(kFileOffset + done));
    if (wrote <= 0) std::abort();
    done += static_cast<size_t>(wrote);
  }
  return fd;
}

}  // namespace

std::vector<std::byte> PatternBytes(size_t size, uint32_t seed) {
  std::vector<std::byte> out(size);
  uint32_t state = seed * 2654435761U + 1;
  for (std::byte& b : out) {
    state = state * 1664525U + 1013904223U;
    b = static_cast<std::byte>(state >> 24);
  }
  return out;
}

PieceRequest RequestFor(common::id::TaskKind kind, core::PieceNumber number, uint64_t length,
                        uint64_t piece_length) {
  PieceRequest request;
  request.key.kind = kind;
  request.key.id = std::string(64, static_cast<char>('a' + static_cast<int>(kind)));
  request.number = number;
  request.offset = number * piece_length;
  request.length = length;
  return request;
}

MemoryPiece PieceFor(const PieceRequest& request, bool with_descriptor) {
  MemoryPiece piece;
  piece.bytes = PatternBytes(static_cast<size_t>(request.length),
                             request.number + 1000 * static_cast<uint32_t>(request.key.kind));
  piece.head.number = request.number;
  piece.head.offset = request.offset;
  piece.head.length = request.length;
  piece.head.crc32 = common::digest::Crc32(piece.bytes);
  piece.head.parent_id = "10.0.0.9-grandparent-1a2b";
  piece.head.cost = absl::Seconds(2);
  piece.head.created_at = absl::FromUnixSeconds(1756166400);
  piece.with_descriptor = with_descriptor;
  return piece;
}

class MemoryProvider::Served final : public ServedPiece {
 public:
  Served(MemoryProvider& owner, std::shared_ptr<const MemoryPiece> piece)
      : owner_(owner), piece_(std::move(piece)) {
    if (piece_->with_descriptor) fd_ = MakeFile(piece_->bytes);
    ++owner_.open_pieces_;
  }
  ~Served() override {
    if (fd_ >= 0) ::close(fd_);
    --owner_.open_pieces_;
  }
  const PieceHead& head() const override { return piece_->head; }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (offset + out.size() > piece_->fails_at.value_or(piece_->bytes.size())) {
      return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kDiskFault,
                        "/data/secret/path: input/output error");
    }
    std::copy_n(piece_->bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(),
                out.begin());
    return absl::OkStatus();
  }
  int fd() const override { return fd_; }
  uint64_t file_offset() const override { return kFileOffset; }
  void OnSent(uint64_t bytes) override { owner_.bytes_sent_ += bytes; }

 private:
  MemoryProvider& owner_;
  const std::shared_ptr<const MemoryPiece> piece_;
  int fd_ = -1;
};

void MemoryProvider::Put(const TaskKey& key, core::PieceNumber number, MemoryPiece piece) {
  std::lock_guard lock(mutex_);
  pieces_[{key, number}] = std::make_shared<const MemoryPiece>(std::move(piece));
}

void MemoryProvider::PutPending(const TaskKey& key, core::PieceNumber number) {
  std::lock_guard lock(mutex_);
  pieces_[{key, number}] = nullptr;
}

void MemoryProvider::FailWith(absl::Status status) {
  std::lock_guard lock(mutex_);
  open_failure_ = std::move(status);
}

void MemoryProvider::RefuseToAdmit(absl::Status status) {
  std::lock_guard lock(mutex_);
  admit_failure_ = std::move(status);
}

async::Co<absl::StatusOr<std::unique_ptr<ServedPiece>>> MemoryProvider::Open(
    async::CancelScope& scope, TaskKey key, core::PieceNumber number) {
  std::shared_ptr<const MemoryPiece> piece;
  {
    std::lock_guard lock(mutex_);
    if (!open_failure_.ok()) co_return open_failure_;
    auto it = pieces_.find({key, number});
    if (it == pieces_.end()) {
      co_return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, "no such piece");
    }
    piece = it->second;
  }
  if (piece == nullptr) {
    ++waiting_;
    async::Signal never(scope.executor());
    absl::Status ended = co_await never.Wait(scope);
    --waiting_;
    co_return ended;
  }
  co_return std::make_unique<Served>(*this, std::move(piece));
}

async::Co<absl::Status> MemoryProvider::Admit(async::CancelScope& scope, uint64_t bytes) {
  if (scope.cancelled()) co_return scope.status();
  bytes_admitted_ += bytes;
  std::lock_guard lock(mutex_);
  co_return admit_failure_;
}

}  // namespace dragonfly::dfdaemon::transfer::testing
