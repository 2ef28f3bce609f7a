#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "common/trace/exporter.h"
#include "common/trace/span.h"

namespace dragonfly::common::trace {

struct BatcherOptions {
  size_t queue_spans = 2048;  // beside the batch that is on its way
  size_t batch_spans = 512;
  absl::Duration longest_wait = absl::Seconds(5);  // of a span for its batch
  int attempts = 5;
  absl::Duration first_backoff = absl::Seconds(1);  // doubled at each attempt
  absl::Duration longest_backoff = absl::Seconds(30);
};

// What is sent when: spans and the time in, batches out. One batch is on its way at a time; one
// that may go another time is kept and tried again after a growing while. What finds the queue full
// is dropped: the newest, so that what is there belongs together. No clock, no lock.
class Batcher {
 public:
  // `random`: of the jitter of the pauses.
  Batcher(BatcherOptions options, uint64_t random);

  // False: there was no room.
  bool Add(std::unique_ptr<FinishedSpan> span, absl::Time now);
  // The next batch, or null: nothing is due, or one is on its way. `flush`: whatever is there is
  // due, after a failure too. Valid until the next Done.
  const Batch* Take(absl::Time now, bool flush);

  struct Fate {
    size_t exported = 0;
    size_t rejected = 0;  // by the receiver, in an answer that was good otherwise
    size_t given_up = 0;  // the receiver refused the batch, or was away too long
  };
  // How the batch that Take gave has fared.
  Fate Done(const Exported& result, absl::Time now);

  // When Take may give something; InfiniteFuture: not before the next Add or Done.
  absl::Time next_deadline() const;
  size_t size() const { return queue_.size() + (under_way_ ? 0 : batch_.size()); }
  bool empty() const { return queue_.empty() && batch_.empty(); }

 private:
  absl::Duration Jittered(absl::Duration pause);
  absl::Duration Pause(const Exported& result);

  const BatcherOptions options_;
  uint64_t random_;
  struct Waiting {
    std::unique_ptr<FinishedSpan> span;
    absl::Time since;
  };
  std::deque<Waiting> queue_;
  Batch batch_;  // on its way, or to be tried again
  bool under_way_ = false;
  int attempts_ = 0;  // of batch_
  absl::Time not_before_ = absl::InfinitePast();
};

}  // namespace dragonfly::common::trace
