#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/otlp/tracing_config.h"
#include "common/telemetry/metrics.h"
#include "common/trace/batch_sender.h"
#include "common/trace/trace_metrics.h"
#include "common/trace/tracer.h"

namespace dragonfly::common::otlp {

// Who this process is, for the resource of its traces.
struct ProcessIdentity {
  std::string service_name;
  std::string hostname;
  std::string ip;
  std::vector<trace::Attribute> more = {};
};

// The tracing of a process: made first, stopped last, with a thread of its own when it is on.
// Threading: Start, Stop and the destructor from main's thread.
class Tracing {
 public:
  // Off when the configuration says so: then the tracer is, and nothing runs. INVALID_ARGUMENT for
  // a certificate that cannot be read; a receiver that is not there is none. What is referred to
  // outlives it.
  static absl::StatusOr<std::unique_ptr<Tracing>> Start(const TracingConfig& config,
                                                        ProcessIdentity identity, os::Env& env,
                                                        trace::TraceMetrics* metrics);
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
  ~Tracing();  // Stop without a flush

  const trace::Tracer& tracer() const { return tracer_; }
  // Sends what is left, within `limit`. After all that makes spans has ended.
  void Stop(absl::Duration limit);

 private:
  Tracing() = default;

  std::unique_ptr<async::Runtime> runtime_;     // null: off
  std::shared_ptr<trace::BatchSender> sender_;  // shared with spans that outlive us
  trace::Tracer tracer_;
};

// How long the end of a process may wait for its last spans.
inline constexpr absl::Duration kLastFlush = absl::Seconds(1);

}  // namespace dragonfly::common::otlp
