#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace dragonfly::dfdaemon::core {

// What this node's uplink really carries: bytes sent per second in which there was something to
// send and no receiver held it back. The scheduler believes this more than what was announced.
//
// Every interval in which the uplink was busy for most of the time gives a value; it is reported
// when it differs from the last report by enough to matter. An interval of a slow uplink goes on
// until it has seen some blocks.
//
// Threading: a value; one thread at a time; no clock of its own.
class UplinkMeter {
 public:
  struct Options {
    absl::Duration interval = absl::Milliseconds(200);
    double least_busy = 0.6;  // of an interval, for it to say anything
    double change = 0.2;      // of the last report, for a new one
  };

  // `announced`: bytes per second, what the others believe until the first report; 0: unknown.
  UplinkMeter(Options options, double announced);

  // From now on there is a block that could be sent (true), or there is none, or only receivers'
  // windows keep it (false). What is being sent counts as what could be: false is said after the
  // OnSent of the last block.
  void SetBusy(bool busy, absl::Time now);
  void OnSent(uint64_t bytes);  // not counted while not busy
  // At `now` or later: bytes per second to be reported, if there is something new to say.
  std::optional<double> Poll(absl::Time now);
  // When Poll should be called; InfiniteFuture while nothing is sent.
  absl::Time next_poll() const;

  // The last value that was reported, or announced.
  double bytes_per_second() const { return reported_; }

 private:
  Options options_;
  double reported_;
  absl::Time interval_began_ = absl::InfiniteFuture();
  absl::Time busy_since_ = absl::InfinitePast();
  bool busy_ = false;
  absl::Duration busy_time_;
  uint64_t sent_ = 0;
  uint32_t sends_ = 0;
  int extended_ = 0;  // whole intervals that this one has gone on for, for want of blocks
};

}  // namespace dragonfly::dfdaemon::core
