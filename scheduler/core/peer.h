#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "scheduler/core/fsm.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/types.h"

namespace dragonfly::scheduler::core {

inline constexpr uint32_t kNone = UINT32_MAX;

// Which pieces a peer has, a bit each, as many words as the highest one needs.
class PieceSet {
 public:
  // True when it was not there before.
  bool Add(uint32_t number);
  bool Has(uint32_t number) const;
  uint32_t count() const { return count_; }
  void Clear();
  // How many of ours `other` does not have.
  uint32_t CountMissingIn(const PieceSet& other) const;

 private:
  std::vector<uint64_t> words_;
  uint32_t count_ = 0;
};

// Running mean and deviation of what a peer's pieces cost, without the values. Up to kWindow pieces
// exact; beyond that old pieces fade instead of being dropped one by one.
class PieceCosts {
 public:
  void Add(absl::Duration cost);
  // The last piece was far slower than those before it: more than 20 times their mean, or, with a
  // full window, more than three standard deviations above it. Fewer than two pieces say nothing.
  bool LastIsOutlier() const;

 private:
  static constexpr double kWindow = 2000;
  double count_ = 0;  // without the last one
  double sum_ = 0;
  double squares_ = 0;
  double last_ = -1;  // seconds; negative: none yet
};

// A peer: one download of a task by one host. Owned by its Task; everything is public to the
// shard's code and to nobody else.
struct Peer {
  // parent -> child, as the child sees it; of children that want a part of the content.
  struct Edge {
    uint32_t parent = kNone;
    uint32_t index_in_parent = 0;  // in Peer::children of the parent
    HostCharge charge;
  };

  std::string id;
  uint32_t generation = 0;
  std::shared_ptr<Host> host;
  uint32_t index_in_host = 0;  // in the shard's list of the host's peers
  StreamId stream = 0;
  PeerState state = PeerState::kPending;
  int priority = 0;
  uint32_t extensions = 0;
  uint32_t concurrent_piece_count = 8;
  std::optional<ByteRange> range;

  bool need_back_to_source = false;     // asked for the origin, or is a seed that is to read it
  bool goes_first = false;              // LEVEL3 without a source: itself, if readers are wanted
  bool disable_back_to_source = false;  // never told to go to the origin
  bool metadata_only = false;
  bool has_all = false;       // every piece of the task; `pieces` is then empty
  bool suspect = false;       // its stream broke, or it made no progress: not a parent
  bool lacks_length = false;  // ours, registered without a length

  PieceSet pieces;
  PieceCosts costs;
  absl::InlinedVector<Edge, 3> parents;
  absl::InlinedVector<uint32_t, 4> children;
  absl::InlinedVector<PeerHandle, 2> blocked;  // never to be offered to this peer again
  uint32_t depth = 0;                          // 0 reads the origin or has everything
  // The parents from the forest that it was told last.
  absl::InlinedVector<uint32_t, 4> told;

  uint32_t eligible_index = kNone;  // in Task::eligible
  // While it waits for an answer: neighbours in Task's list of waiters, since when, until when.
  bool parked = false;
  uint32_t parked_before = kNone;
  uint32_t parked_after = kNone;
  absl::Time parked_since;
  absl::Time park_check = absl::InfiniteFuture();
  uint32_t visited = 0;  // mark of a graph walk

  absl::Duration cost;
  absl::Time created;
  absl::Time updated;
  absl::Time piece_updated;
  absl::Time expires = absl::InfiniteFuture();  // when the collector looks at it

  bool is_seed() const { return host->facts()->is_seed(); }
  bool unfinished() const { return !IsEnded(state); }
  bool Has(ExtensionBits bit) const { return (extensions & bit) != 0; }
};

}  // namespace dragonfly::scheduler::core
