#include "tests/sim/faults.h"

#include "absl/time/time.h"

namespace dragonfly::sim {
namespace {

Nanos AtFloors(const Scenario& scenario, double floors) {
  return static_cast<Nanos>(floors * scenario.nominal_floor_seconds() * 1e9);
}

}  // namespace

std::vector<Fault> PlanFaults(const Scenario& s, HostId first_peer,
                              dfdaemon::core::Random& random) {
  std::vector<Fault> plan;
  const auto any_time = [&] {
    return AtFloors(s, s.fault_from + (s.fault_to - s.fault_from) * random.Unit());
  };
  for (HostId host = first_peer; host < first_peer + s.peers; ++host) {
    const double fate = random.Unit();
    const Nanos at = any_time();
    if (fate < s.crash_share) {
      plan.push_back({at, FaultKind::kCrash, host});
      if (s.crash_back > absl::ZeroDuration()) {
        plan.push_back({at + absl::ToInt64Nanoseconds(s.crash_back), FaultKind::kStartAgain, host});
      }
    } else if (fate < s.crash_share + s.hang_share) {
      plan.push_back({at, FaultKind::kHang, host});
    } else if (random.Unit() < s.change_share) {
      plan.push_back({AtFloors(s, s.change_at), FaultKind::kChangeUplink, host});
    }
    if (random.Unit() < s.break_share) plan.push_back({any_time(), FaultKind::kBreakStreams, host});
    if (random.Unit() < s.jump_share) plan.push_back({any_time(), FaultKind::kJumpClock, host});
  }
  if (s.slow_interior > 0) plan.push_back({AtFloors(s, s.change_at), FaultKind::kSlowInterior, 0});
  if (s.seeds_die_at >= 0) {
    const Nanos at = AtFloors(s, s.seeds_die_at);
    plan.push_back({at, FaultKind::kSeedsGo, 0});
    plan.push_back({at + absl::ToInt64Nanoseconds(s.seed_notice), FaultKind::kSeedsNoticed, 0});
  }
  if (s.scheduler_restart_at > 0) {
    const Nanos at = AtFloors(s, s.scheduler_restart_at);
    const Nanos back = at + absl::ToInt64Nanoseconds(s.scheduler_down);
    plan.push_back({at, FaultKind::kSchedulerStops, 0});
    plan.push_back({back, FaultKind::kSchedulerStarts, 0});
    const auto within = static_cast<double>(absl::ToInt64Nanoseconds(s.reannounce_within));
    for (HostId host = 1; host < first_peer + s.peers; ++host) {
      plan.push_back(
          {back + static_cast<Nanos>(within * random.Unit()), FaultKind::kReannounce, host});
    }
  }
  return plan;
}

}  // namespace dragonfly::sim
