#include "dfdaemon/transfer/testing/fake_piece_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::transfer::testing {

namespace async = common::async;
using common::status::ErrorReason;
using common::status::MakeStatus;

void FakePieceClient::AddParent(const common::net::Endpoint& endpoint, PieceProvider& provider) {
  std::lock_guard lock(mutex_);
  parents_[endpoint] = &provider;
}

void FakePieceClient::RemoveParent(const common::net::Endpoint& endpoint) {
  std::lock_guard lock(mutex_);
  parents_.erase(endpoint);
}

PieceProvider* FakePieceClient::Find(const common::net::Endpoint& endpoint) const {
  std::lock_guard lock(mutex_);
  auto parent = parents_.find(endpoint);
  return parent == parents_.end() ? nullptr : parent->second;
}

async::Co<absl::Status> FakePieceClient::Fetch(async::CancelScope& scope, PieceTarget target,
                                               PieceRequest request, PieceSink& sink) {
  PieceProvider* found = Find(target.endpoint);
  if (found == nullptr) {
    co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                         "no parent at " + target.endpoint.ToString());
  }
  PieceProvider& provider = *found;
  absl::StatusOr<std::unique_ptr<ServedPiece>> piece =
      co_await provider.Open(scope, request.key, request.number);
  if (scope.cancelled()) co_return scope.status();
  if (!piece.ok()) {
    co_return MakeStatus(absl::IsNotFound(piece.status()) ? absl::StatusCode::kNotFound
                                                          : absl::StatusCode::kUnavailable,
                         ErrorReason::kParentRefused, "the parent refused");
  }
  const PieceHead& head = (*piece)->head();
  if (head.number != request.number || head.offset != request.offset ||
      head.length != request.length) {
    co_return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kParentProtocol,
                         "the head is of another piece");
  }
  absl::Status taken = sink.OnHead(head);
  if (!taken.ok()) co_return taken;
  std::vector<std::byte> block(core::kBlockBytes);
  for (uint64_t done = 0; done < request.length; done += core::kBlockBytes) {
    const uint64_t size = std::min<uint64_t>(core::kBlockBytes, request.length - done);
    absl::Status admitted = co_await provider.Admit(scope, size);
    if (scope.cancelled()) co_return scope.status();
    const std::span<std::byte> bytes(block.data(), static_cast<size_t>(size));
    if (admitted.ok()) admitted = (*piece)->ReadAt(done, bytes);
    if (!admitted.ok() || Find(target.endpoint) == nullptr) {
      co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                           "the parent stopped in the middle");
    }
    (*piece)->OnSent(size);
    taken = sink.OnBytes(bytes, false);
    if (!taken.ok()) co_return taken;
    absl::Status turn = co_await async::Sleep(scope, absl::ZeroDuration());
    if (!turn.ok()) co_return turn;
  }
  co_return absl::OkStatus();
}

}  // namespace dragonfly::dfdaemon::transfer::testing
