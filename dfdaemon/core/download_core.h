#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/id/task_key.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/core/timeline.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::core {

// How a node takes part in a swarm that is shaped by a scheduler of ours. τ is the time of one
// piece on the own downlink (downlink_meter.h). docs/design/life-of-a-download.md, "Two stripes".
struct SwarmRules {
  uint32_t per_parent = 2;      // requests outstanding at a parent that passes blocks on
  uint32_t in_all = 8;          // at all of them, if concurrent_piece_count is not less
  double steal_after = 2;       // τ that others have had a piece before it is taken there
  double steal_give_up = 2;     // τ that a steal waits for its first byte; doubled each time
  double starve_give_up = 10;   // τ that any fetch waits for a byte if others have it; the same
  double busy_wait = 0.6;       // τ, give or take a half, before a busy parent is asked again
  double take_over_factor = 6;  // so many times slower than another parent: taken over
  double full = 0.85;           // of the downlink, above which nothing is stolen or taken over
  double full_window = 1.5;     // τ that this is measured over
  absl::Duration silence = absl::Milliseconds(500);  // of a parent that speaks keepalive: dead
};

// Bounds and sizes of one download; the defaults are those of dfdaemon.yaml where it has the key.
struct CoreOptions {
  uint32_t concurrent_piece_count = 8;  // fetches at once, all parents together
  uint32_t concurrent_per_parent = 4;
  uint32_t max_schedule_count = 5;                    // answers in a row that brought no piece
  uint32_t register_attempts = 3;                     // schedulers tried before the origin
  absl::Duration answer_timeout = absl::Seconds(30);  // no answer to Register: next scheduler
  absl::Duration parent_timeout = absl::Seconds(10);  // a fetch without a byte: another parent
  absl::Duration piece_timeout = absl::Minutes(6);    // a fetch, however it moves: another parent
  absl::Duration offer_timeout =
      absl::Seconds(10);  // parents that offer nothing we lack: reschedule
  absl::Duration source_timeout = absl::Seconds(30);  // the origin without a byte: reopen
  uint32_t source_attempts = 3;  // reopenings of the origin in a row that brought no piece
  absl::Duration retry_base =
      absl::Milliseconds(200);  // back-off, doubled and jittered, at most 5 s
  // Nothing came for this long: something is changed (parents, scheduler, source), whatever the
  // other bounds say, and the timeline tells what.
  absl::Duration progress_timeout = absl::Seconds(30);
  uint64_t downlink_bps = 0;  // announced, bit/s; 0: unknown, it is learned from what comes
  SwarmRules swarm;
  // Nothing changed for this long although something was tried: the requests fail (kTimeout).
  absl::Duration stall_limit = absl::Minutes(2);
};

// What is on disk already.
struct StoredState {
  Geometry geometry;  // piece_length 0: nothing is known
  std::vector<PieceNumber> finished;
};

// One download of one task on one node: decides everything, does nothing. Sans-I/O: events and time
// come in, actions go out. It outlives its callers (Attach, Detach) and serves any number of them
// at once.
//
// Life: constructed with what is on disk; the first Attach makes it register (or finish at once);
// parents and the origin are used side by side as the scheduler says; when no scheduler answers or
// nobody has what is missing, the origin is read if a caller allows it; FinishRequest for each
// caller; Ended.
//
// Promises: it never waits without a deadline (next_deadline() is finite while a caller is
// attached); every wait that ends without progress changes something (parent, scheduler, source)
// and says so in the timeline, and none is longer than `progress_timeout`; a piece is fetched by
// one fetch at a time but in the endgame and while a slow one is taken over; blame is by
// ErrorReason.
//
// Threading: a value; one thread at a time. No clock, no I/O, no locks. Randomness by `seed`.
class DownloadCore {
 public:
  DownloadCore(common::id::TaskKey key, CoreOptions options, StoredState stored, uint64_t seed);
  DownloadCore(DownloadCore&&) noexcept;
  DownloadCore& operator=(DownloadCore&&) noexcept;
  ~DownloadCore();

  // Appends what is to be done now to `actions`. `now` never goes back.
  void on(const Event& event, absl::Time now, std::vector<Action>& actions);
  // The time has come that next_deadline() named.
  void on_time(absl::Time now, std::vector<Action>& actions);
  // InfiniteFuture when nothing is awaited.
  absl::Time next_deadline() const;

  const Geometry& geometry() const;
  bool has_piece(PieceNumber number) const;
  // Every byte of the content is stored.
  bool complete() const;
  // What happened and what is being waited for, oldest first; bounded.
  const Timeline& explain() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::core
