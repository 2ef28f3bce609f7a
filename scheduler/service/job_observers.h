#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::service {

// Tells the log what becomes of a preheat that nobody waits for.
class LoggingObserver final : public job::JobObserver {
 public:
  // `on_ended` is called last, from any thread.
  LoggingObserver(std::string what, std::function<void(const absl::Status&)> on_ended)
      : what_(std::move(what)), on_ended_(std::move(on_ended)) {}
  void OnTarget(const job::TargetResult& result, const job::JobCounts& counts) override;
  void OnEnded(const absl::Status& status, const job::JobCounts& counts) override;

 private:
  const std::string what_;
  const std::function<void(const absl::Status&)> on_ended_;
  uint64_t shown_ = 0;
};

}  // namespace dragonfly::scheduler::service
