#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "common/async/runtime.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer::testing {

// Keeps what a parent sent.
class RecordingSink final : public PieceSink {
 public:
  absl::Status OnHead(const PieceHead& told) override {
    if (head.has_value()) return absl::InternalError("a second head");
    head = told;
    return head_answer;
  }
  absl::Status OnBytes(std::span<const std::byte> data, bool) override {
    if (!head.has_value()) return absl::InternalError("bytes before the head");
    if (data.empty() || data.size() > core::kBlockBytes)
      return absl::InternalError("bytes that are no block or part of one");
    bytes.insert(bytes.end(), data.begin(), data.end());
    return on_bytes ? on_bytes() : absl::OkStatus();
  }

  std::optional<PieceHead> head;
  std::vector<std::byte> bytes;
  absl::Status head_answer;                // what OnHead returns
  std::function<absl::Status()> on_bytes;  // what OnBytes returns; unset: OK
};

// Fetches from a test's own thread, with a deadline that only a hang can reach.
absl::Status FetchNow(common::async::Executor executor, PieceClient& client, PieceTarget target,
                      PieceRequest request, PieceSink& sink,
                      absl::Duration timeout = absl::Seconds(60));

}  // namespace dragonfly::dfdaemon::transfer::testing
