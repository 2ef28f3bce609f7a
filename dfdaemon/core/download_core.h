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
// and says so in the timeline; a piece is fetched by one fetch at a time but in the endgame; blame
// is by ErrorReason.
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
