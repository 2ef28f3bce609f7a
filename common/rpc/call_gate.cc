#include "common/rpc/call_gate.h"

#include <algorithm>
#include <cstdint>

#include "absl/hash/hash.h"
#include "common/rpc/peer.h"
#include "common/status/reason.h"

namespace dragonfly::common::rpc {

CallGate::CallGate(const Options& options, const os::Clock& clock, limit::LimitReport* report)
    : key_(options.key),
      listener_(options.listener),
      clock_(clock),
      report_(report),
      // A rate of 0 would be no limit.
      rate_({std::max<uint64_t>(1, static_cast<uint64_t>(options.calls_per_second)), 0}) {}

absl::Status CallGate::Admit(std::string_view peer) {
  const limit::Source source = SourceOf(peer);
  if (rate_.Admit(absl::HashOf(source), clock_.Now())) return absl::OkStatus();
  limit::Tell(report_, limit::Limit::kRate, listener_, source.ToString());
  return status::MakeStatus(absl::StatusCode::kResourceExhausted, status::ErrorReason::kOverloaded,
                            "too many requests; the limit is " + key_);
}

}  // namespace dragonfly::common::rpc
