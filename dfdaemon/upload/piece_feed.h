#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::upload {

// Tells a child which of the pieces it wants are here, as they come: the engine of SyncPieces.
// Driven by the store's changes; nothing polls.
//
// The reader asks for a batch and gets it when there is something to tell, so that a slow child
// holds back nothing but itself: what waits for it is a piece number each, and never more of them
// than it asked for. A piece that was lost before it was told is told when it is back.
//
// Lifecycle: Open, Next until it answers with an end, destroy. Threading: any thread, Next one at a
// time. Answers come on the thread that asked or on the one that changed the task; they must not
// block and must not destroy the feed. No answer comes after the destructor has returned.
class PieceFeed {
 public:
  static constexpr size_t kMaxBatch = 128;
  // No file is cut into more pieces than this; more numbers are refused.
  static constexpr size_t kMaxInterested = size_t{1} << 20;

  // `interested`: numbers of the wanted pieces, in the order in which those that are here already
  // are told. NOT_FOUND: no such task. INVALID_ARGUMENT: too many numbers.
  static absl::StatusOr<std::unique_ptr<PieceFeed>> Open(
      storage::ContentStore& store, const storage::TaskKey& key,
      const std::vector<storage::PieceNumber>& interested);
  PieceFeed(const PieceFeed&) = delete;
  PieceFeed& operator=(const PieceFeed&) = delete;
  ~PieceFeed();

  // Between one and kMaxBatch pieces; OUT_OF_RANGE when all were told; NOT_FOUND (kNotFound) when
  // the task was deleted. After an end every further answer is the same.
  using Answer = std::function<void(absl::StatusOr<std::vector<storage::PieceInfo>>)>;
  void Next(Answer answer);

 private:
  class State;
  PieceFeed(std::shared_ptr<State> state, std::unique_ptr<storage::Pin> observing);
  std::shared_ptr<State> state_;  // shared with the observer
  std::unique_ptr<storage::Pin> observing_;
};

}  // namespace dragonfly::dfdaemon::upload
