#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace dragonfly::dfdaemon::core {

// What this node's downlink can carry and what it carries now, and from that τ: the time that one
// piece takes on it. Every timer of the swarm is a multiple of τ, so that a slow swarm is patient
// and a quick one is not kept waiting.
//
// The downlink is what was announced; else the best goodput of late (halved every 10 s), with τ
// kept between 10 ms and 1 s. τ is never shorter than the quickest answer of a parent has taken:
// over a long way nothing comes sooner, however wide it is. Threading: a value; no clock.
class DownlinkMeter {
 public:
  struct Options {
    uint64_t announced_bps = 0;  // bit/s; 0: unknown
    double window = 1.5;         // τ that goodput is measured over
    double full = 0.85;          // of the downlink
  };

  explicit DownlinkMeter(Options options);

  void SetPieceLength(uint64_t bytes);
  void OnBytes(uint64_t bytes, absl::Time now);
  // From a request to its first byte.
  void OnAnswer(absl::Duration took);

  absl::Duration tau() const { return tau_; }
  // Bytes per second.
  double Goodput(absl::Time now) const;
  double downlink() const;
  // More would only make waiting longer what is on its way. Never of a downlink that was not
  // announced: who was starved from the beginning would take little for all there is.
  bool Full(absl::Time now) const { return FullUntil(now) > now; }
  // When it will not be full any more if nothing else comes.
  absl::Time FullUntil(absl::Time now) const;

 private:
  void Recompute();
  double BestGoodput(absl::Time now) const;

  Options options_;
  uint64_t piece_length_ = 0;
  absl::Duration tau_;
  double window_seconds_ = 0;
  absl::Duration least_answer_ = absl::InfiniteDuration();
  double rate_ = 0;  // bytes per second, at rate_at_
  absl::Time rate_at_ = absl::InfinitePast();
  double best_ = 0;  // bytes per second, at best_at_
  absl::Time best_at_ = absl::InfinitePast();
};

}  // namespace dragonfly::dfdaemon::core
