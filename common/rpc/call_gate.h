#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/limit/fair_rate.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"

namespace dragonfly::common::rpc {

// How many calls a listener begins in a second, fairly among the addresses, or users, that call:
// unary calls and new streams (docs/reference/limits.md). Threading: any thread.
class CallGate {
 public:
  struct Options {
    double calls_per_second = 4000;  // at least 1
    std::string key;                 // of the configuration, for who is refused
    std::string_view listener;       // as LimitReport names it
  };
  // `report` may be null; both must outlive it.
  CallGate(const Options& options, const os::Clock& clock, limit::LimitReport* report);

  // `peer`: CallInfo::peer. RESOURCE_EXHAUSTED (kOverloaded): too many, and told.
  absl::Status Admit(std::string_view peer);

 private:
  const std::string key_;
  const std::string_view listener_;
  const os::Clock& clock_;
  limit::LimitReport* const report_;
  limit::FairRate rate_;
};

}  // namespace dragonfly::common::rpc
