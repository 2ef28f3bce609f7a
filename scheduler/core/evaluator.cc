#include "scheduler/core/evaluator.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace dragonfly::scheduler::core {
namespace {

constexpr double kLoadWeight = 0.6;
constexpr double kIdcWeight = 0.2;
constexpr double kLocationWeight = 0.1;
constexpr double kHostTypeWeight = 0.1;

constexpr double kPeakWeight = 0.5;
constexpr double kDurationWeight = 0.3;
constexpr double kConcurrencyWeight = 0.2;

constexpr double kDurationWindowSeconds = 60;
constexpr double kPieceBits = 16.0 * 1024 * 1024 * 8;
constexpr int kLocationParts = 5;

bool SameText(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()),
                                absl::string_view(b.data(), b.size()));
}

std::string_view TakePart(std::string_view& rest, bool& done) {
  const size_t bar = rest.find('|');
  std::string_view part = rest.substr(0, bar);
  done = bar == std::string_view::npos;
  rest = done ? std::string_view() : rest.substr(bar + 1);
  return part;
}

}  // namespace

double PeakScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps) {
  if (max_tx_bandwidth_bps == 0 || load.tx_bandwidth_bps >= max_tx_bandwidth_bps) return 0;
  return 1 - static_cast<double>(load.tx_bandwidth_bps) / static_cast<double>(max_tx_bandwidth_bps);
}

double DurationScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps) {
  if (max_tx_bandwidth_bps == 0) return 0;
  if (load.content_length == 0) return 1;
  const double seconds =
      static_cast<double>(load.content_length) * 8 / static_cast<double>(max_tx_bandwidth_bps);
  const double ratio = seconds / kDurationWindowSeconds;
  return ratio >= 1 ? 0 : 1 - ratio;
}

double ConcurrencyScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps) {
  const double pieces_per_second = static_cast<double>(max_tx_bandwidth_bps) / kPieceBits;
  if (pieces_per_second <= 1) return 0;
  if (load.pieces == 0) return 1;
  const double ratio = static_cast<double>(load.pieces) / pieces_per_second;
  return ratio <= 1 ? 1 : 1 / ratio;
}

double LoadScore(const HostLoad& load, uint64_t max_tx_bandwidth_bps) {
  return kPeakWeight * PeakScore(load, max_tx_bandwidth_bps) +
         kDurationWeight * DurationScore(load, max_tx_bandwidth_bps) +
         kConcurrencyWeight * ConcurrencyScore(load, max_tx_bandwidth_bps);
}

double IdcScore(std::string_view parent, std::string_view child) {
  return !parent.empty() && !child.empty() && SameText(parent, child) ? 1 : 0;
}

double LocationScore(std::string_view parent, std::string_view child) {
  if (parent.empty() || child.empty()) return 0;
  if (SameText(parent, child)) return 1;
  int equal = 0;
  bool parent_done = false;
  bool child_done = false;
  while (equal < kLocationParts && !parent_done && !child_done) {
    if (!SameText(TakePart(parent, parent_done), TakePart(child, child_done))) break;
    ++equal;
  }
  return static_cast<double>(equal) / kLocationParts;
}

double HostTypeScore(HostType type, PeerState state) {
  if (type == HostType::kNormal) return 0.5;
  return state == PeerState::kReceivedNormal || state == PeerState::kRunning ? 1 : 0;
}

double Evaluate(const HostFacts& parent, const HostLoad& load, PeerState parent_state,
                const HostFacts& child) {
  return kLoadWeight * LoadScore(load, parent.max_tx_bandwidth_bps) +
         kIdcWeight * IdcScore(parent.idc, child.idc) +
         kLocationWeight * LocationScore(parent.location, child.location) +
         kHostTypeWeight * HostTypeScore(parent.type, parent_state);
}

}  // namespace dragonfly::scheduler::core
