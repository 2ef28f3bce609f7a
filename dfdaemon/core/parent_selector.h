#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/time/time.h"
#include "dfdaemon/core/piece_picker.h"
#include "dfdaemon/core/random.h"

namespace dragonfly::dfdaemon::core {

// How bad a failure is for the parent's weight; what breaks the protocol is not weighed but left at
// once.
enum class Blame : uint8_t {
  kBusy,         // refused, overloaded: it is honest
  kSilent,       // no byte within the bound
  kUnreachable,  // connect or transport failure
};

// Which parent gets the next request: at random by weight. The weight is what the parent says it
// has left to send (the formula that every node of a cluster uses), corrected by what it has shown
// and by what is asked of it already, and halved for each unit of penalty, which fades with time.
// Threading: a value.
class ParentSelector {
 public:
  // bit/s taken for parents that do not tell.
  static constexpr uint64_t kUnknownBandwidth = 10'000'000'000;
  static constexpr absl::Duration kPenaltyHalfLife = absl::Seconds(10);

  explicit ParentSelector(uint64_t seed) : random_(seed) {}

  // max(max_tx - tx, max_tx / 10), bit/s: a parent that is full stays reachable.
  static uint64_t NodeWeight(uint64_t max_tx_bandwidth, uint64_t tx_bandwidth);

  void Add(ParentSlot parent, uint64_t max_tx_bandwidth, uint64_t tx_bandwidth);
  void Remove(ParentSlot parent) { entries_[parent] = Entry{}; }
  void SetLoad(ParentSlot parent, uint64_t max_tx_bandwidth, uint64_t tx_bandwidth);
  // One piece of `bytes` came in `took`.
  void OnPiece(ParentSlot parent, uint64_t bytes, absl::Duration took);
  void OnFailure(ParentSlot parent, Blame blame, absl::Time now);
  void OnBegin(ParentSlot parent) { ++entries_[parent].in_flight; }
  void OnEnd(ParentSlot parent) { --entries_[parent].in_flight; }
  uint32_t in_flight(ParentSlot parent) const { return entries_[parent].in_flight; }

  double Weight(ParentSlot parent, absl::Time now) const;
  // One of `candidates`; unset if there are none.
  std::optional<ParentSlot> Choose(std::span<const ParentSlot> candidates, absl::Time now);

 private:
  struct Entry {
    uint64_t node_weight = 0;  // bit/s
    double goodput = 0;        // bit/s of one request, smoothed; 0: not measured
    double penalty = 0;        // at penalty_at
    absl::Time penalty_at = absl::InfinitePast();
    uint32_t in_flight = 0;
  };
  static double PenaltyAt(const Entry& entry, absl::Time now);

  Random random_;
  std::array<Entry, PiecePicker::kMaxParents> entries_;
};

}  // namespace dragonfly::dfdaemon::core
