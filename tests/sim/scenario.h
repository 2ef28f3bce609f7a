#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::sim {

// What our own rules are to reach; 0: nothing is said. Ratios are those of Summary.
struct Expectation {
  double mean = 0;
  double p99 = 0;
  double max = 0;
  double after_p50 = 0;
  double after_p99 = 0;
  double origin_copies = 0;
};

// What a run is about: hosts, links, what they want, what goes wrong. The keys of a scenario file
// are the names in the comments of scenario.cc, which `swarm_sim --keys` prints.
//
// F is the time that the whole content takes at the nominal rate: (sizes of the tasks together) /
// min(link.up, link.down). What is told in F keeps its meaning when size or rate change.
struct Scenario {
  std::string name;
  std::string about;

  // Hosts and contents.
  uint32_t peers = 100;
  uint32_t seeds = 1;
  std::vector<uint64_t> sizes = {192ULL << 20};  // bytes, one for each task
  uint64_t piece_length = 0;                     // bytes; 0: as the nodes compute it
  uint32_t parallel = 0;                         // tasks that a host has at once; 0: all

  // Arrivals.
  absl::Duration arrive_jitter = absl::Milliseconds(5);
  double arrive_over = 0;    // in F, evenly at random; 0: all within the jitter
  double trickle_share = 0;  // of peers that come over `trickle_over` instead
  double trickle_over = 3;   // in F

  // Links, bytes per second.
  double up = 125e6;
  double down = 125e6;
  double spread = 1;     // both rates log-uniform within this factor
  double up_spread = 1;  // the uplink alone
  double up_ratio = 1;   // times the downlink
  double slow_share = 0;
  double slow_factor = 0.05;      // of the uplink of those
  bool announce_nominal = false;  // everybody announces link.up, whatever it has
  double wrong_share = 0;         // announce ten times too much or too little

  double seed_up = 0;  // 0: as link.up
  double seed_down = 0;
  absl::Duration seed_first_byte;  // from the seed's request until the origin answers it
  double origin_up = 0;

  // Network.
  uint32_t idcs = 1;
  uint32_t racks = 1;
  absl::Duration rack_latency = absl::Microseconds(250);
  absl::Duration idc_latency = absl::Microseconds(250);
  absl::Duration cross_latency = absl::Microseconds(250);
  absl::Duration origin_latency = absl::Microseconds(250);
  double idc_rate = 0;
  double loss = 0;
  double cross_loss = 0;
  absl::Duration message_jitter;  // added to what control messages take, evenly at random
  uint32_t window = 4;            // blocks of a request on the wire, between peers
  uint32_t progress_blocks = 1;   // a node's core is told of progress after so many of a request
  absl::Duration offer_interval = absl::Milliseconds(1);  // between two batches of offers

  absl::Duration keepalive = absl::Milliseconds(200);  // of our parents; 0: none

  // Scheduler.
  absl::Duration scheduler_latency = absl::Milliseconds(1);  // one way
  absl::Duration scheduler_service = absl::Microseconds(4);  // for each event
  double scheduler_restart_at = 0;                           // in F; 0: never
  absl::Duration scheduler_down = absl::Seconds(2);
  absl::Duration reannounce_within = absl::Milliseconds(700);  // of hosts, once it is back
  absl::Duration seed_notice = absl::Seconds(2);  // until it knows that a seed has gone

  // Who is not ours.
  double upstream_share = 0;

  // Faults, at random times between fault_from and fault_to (in F).
  double fault_from = 0.05;
  double fault_to = 0.95;
  double crash_share = 0;
  absl::Duration crash_back;  // until it is started again; 0: never
  double hang_share = 0;
  double break_share = 0;  // of streams to the scheduler that break once
  double jump_share = 0;   // of hosts whose clock jumps
  absl::Duration jump = absl::Minutes(2);
  double corrupt_share = 0;  // of hosts that corrupt what they send
  double corrupt_rate = 1;   // of their pieces
  double change_share = 0;   // of hosts whose uplink changes
  double change_factor = 0.25;
  double change_at = 0.4;      // in F
  uint32_t slow_interior = 0;  // of the hosts with most children, slowed at change_at
  double slow_interior_factor = 0.1;
  double seeds_die_at = -1;  // in F; negative: never
  bool seeds_hang = false;   // instead of crashing

  // A run that takes longer has failed.
  double limit_floors = 60;
  absl::Duration limit_extra = absl::Minutes(15);  // upstream waits 6 minutes for a piece

  Expectation expect;

  uint64_t total_bytes() const;
  // Seconds.
  double nominal_floor_seconds() const;
};

enum class ScenarioSize { kCi, kFull };

// Reads a scenario file. `ci.peers`, `ci.sizes` and so on take the place of the keys without `ci.`
// when `size` says so. `settings`: "key=value" of the command line, applied last. An unknown key is
// an error that names the nearest right one.
absl::StatusOr<Scenario> LoadScenario(const std::string& path, ScenarioSize size,
                                      const std::vector<std::string>& settings);
// The same from text; `name` is told in errors.
absl::StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view name,
                                       ScenarioSize size, const std::vector<std::string>& settings);
// All keys with default and meaning, as a table in Markdown.
std::string ScenarioKeys();

// "1Gbit/s", "300MB/s", "12.5MiB/s" as bytes per second.
absl::StatusOr<double> ParseRate(std::string_view text);

}  // namespace dragonfly::sim
