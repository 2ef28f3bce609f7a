#pragma once

#include <cstdint>
#include <vector>

#include "dfdaemon/core/random.h"
#include "tests/sim/links.h"
#include "tests/sim/scenario.h"

namespace dragonfly::sim {

enum class FaultKind : uint8_t {
  kCrash,
  kStartAgain,
  kHang,
  kBreakStreams,
  kJumpClock,
  kChangeUplink,  // times change_factor
  kSlowInterior,  // the hosts with most children
  kSeedsGo,       // crash, or hang
  kSeedsNoticed,  // the scheduler knows that they have gone
  kSchedulerStops,
  kSchedulerStarts,
  kReannounce,
};

struct Fault {
  Nanos at = 0;
  FaultKind kind = FaultKind::kCrash;
  HostId host = 0;
};

// What goes wrong in a run, and when: drawn once from the scenario's shares. `first_peer`: hosts
// [first_peer, first_peer + scenario.peers) are peers. A host has one of crash, hang and change at
// most.
std::vector<Fault> PlanFaults(const Scenario& scenario, HostId first_peer,
                              dfdaemon::core::Random& random);

}  // namespace dragonfly::sim
