#pragma once

#include <memory>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/trace/batcher.h"
#include "common/trace/exporter.h"
#include "common/trace/span.h"
#include "common/trace/trace_metrics.h"

namespace dragonfly::common::trace {

// Takes spans from everybody and sends them from one executor, so that who ends a span never waits:
// a full queue drops, and a receiver that is away costs nobody anything but its spans.
//
// Threading: Take from any thread; Stop from one that is not the executor's.
class BatchSender final : public SpanSink {
 public:
  struct Options {
    BatcherOptions batches;
    absl::Duration export_timeout = absl::Seconds(10);
  };
  // What is referred to outlives the sender's Stop; `metrics` may be null.
  static std::shared_ptr<BatchSender> Start(async::Executor executor, os::Env& env,
                                            std::unique_ptr<Exporter> exporter,
                                            TraceMetrics* metrics, Options options);
  BatchSender(const BatchSender&) = delete;
  BatchSender& operator=(const BatchSender&) = delete;
  ~BatchSender() override;

  void Take(std::unique_ptr<FinishedSpan> span) override;
  // Sends what is there, within `limit`. Spans that end later are dropped. The last call: the
  // executor and the metrics may go after it.
  void Stop(absl::Duration limit);

 private:
  struct Impl;
  explicit BatchSender(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the executor
};

}  // namespace dragonfly::common::trace
