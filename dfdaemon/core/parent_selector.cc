#include "dfdaemon/core/parent_selector.h"

#include <algorithm>
#include <cmath>

namespace dragonfly::dfdaemon::core {
namespace {

// A parent is not believed to have more left than this many times what it has shown in one request.
constexpr double kBelief = 8;
constexpr double kGoodputSmoothing = 0.3;
constexpr double kMaxPenalty = 10;

double PenaltyOf(Blame blame) {
  switch (blame) {
    case Blame::kBusy:
      return 0.5;
    case Blame::kSilent:
      return 2;
    case Blame::kUnreachable:
      return 3;
  }
  return 0;
}

}  // namespace

uint64_t ParentSelector::NodeWeight(uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) {
  if (max_tx_bandwidth == 0) return kUnknownBandwidth;
  const uint64_t left = max_tx_bandwidth > tx_bandwidth ? max_tx_bandwidth - tx_bandwidth : 0;
  return std::max(left, max_tx_bandwidth / 10);
}

void ParentSelector::Add(ParentSlot parent, uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) {
  entries_[parent] = Entry{};
  SetLoad(parent, max_tx_bandwidth, tx_bandwidth);
}

void ParentSelector::SetLoad(ParentSlot parent, uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) {
  entries_[parent].node_weight = NodeWeight(max_tx_bandwidth, tx_bandwidth);
}

void ParentSelector::OnPiece(ParentSlot parent, uint64_t bytes, absl::Duration took) {
  Entry& entry = entries_[parent];
  const double seconds = std::max(absl::ToDoubleSeconds(took), 1e-6);
  const double measured = static_cast<double>(bytes) * 8 / seconds;
  entry.goodput =
      entry.goodput > 0 ? entry.goodput + kGoodputSmoothing * (measured - entry.goodput) : measured;
}

double ParentSelector::PenaltyAt(const Entry& entry, absl::Time now) {
  if (entry.penalty <= 0) return 0;
  return entry.penalty * std::exp2(-absl::FDivDuration(now - entry.penalty_at, kPenaltyHalfLife));
}

void ParentSelector::OnFailure(ParentSlot parent, Blame blame, absl::Time now) {
  Entry& entry = entries_[parent];
  entry.penalty = std::min(kMaxPenalty, PenaltyAt(entry, now) + PenaltyOf(blame));
  entry.penalty_at = now;
}

double ParentSelector::Weight(ParentSlot parent, absl::Time now) const {
  const Entry& entry = entries_[parent];
  double weight = static_cast<double>(entry.node_weight);
  if (entry.goodput > 0) weight = std::min(weight, kBelief * entry.goodput);
  return weight / (1.0 + entry.in_flight) * std::exp2(-PenaltyAt(entry, now));
}

std::optional<ParentSlot> ParentSelector::Choose(std::span<const ParentSlot> candidates,
                                                 absl::Time now) {
  if (candidates.empty()) return std::nullopt;
  double total = 0;
  for (ParentSlot parent : candidates) total += Weight(parent, now);
  if (total <= 0) return candidates[random_.Below(candidates.size())];
  double mark = random_.Unit() * total;
  for (ParentSlot parent : candidates) {
    mark -= Weight(parent, now);
    if (mark < 0) return parent;
  }
  return candidates.back();
}

}  // namespace dragonfly::dfdaemon::core
