#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/trace/span.h"

namespace dragonfly::common::trace {

using Batch = std::vector<std::unique_ptr<FinishedSpan>>;

// Who makes the spans: the same for all of a process.
struct Resource {
  std::string service_name;
  std::vector<Attribute> attributes = {};  // the others: service.version, host.name, ...
};

// How a batch fared.
struct Exported {
  absl::Status status;
  // Of an error: another time it may go.
  bool retryable = false;
  // When, if the receiver says so.
  std::optional<absl::Duration> retry_after = std::nullopt;
  // Of an OK: spans that the receiver did not want.
  size_t rejected = 0;
};

// Sends batches to a receiver. Threading: belongs to the executor of the scope; one batch at a
// time.
class Exporter {
 public:
  virtual ~Exporter() = default;
  // The batch and the scope live until it has ended.
  virtual async::Co<Exported> Export(async::CancelScope& scope, const Batch& batch) = 0;
  // The receiver, for people.
  virtual const std::string& receiver() const = 0;
};

}  // namespace dragonfly::common::trace
