#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/limit/fair_rate.h"
#include "common/limit/limit_report.h"
#include "common/limit/source.h"

namespace dragonfly::common::limit {

// What one listener takes; docs/reference/limits.md has the values of each.
struct ConnectionLimits {
  size_t total = 4096;
  size_t per_source = 256;
  // New ones, fairly among sources (FairRate); 0: no limit.
  uint64_t new_per_second = 200;
  uint64_t burst = 1000;
};

// Who has how many connections of a listener. Every listener of ours asks it for each connection
// that it accepts: the gRPC, HTTP and piece servers, and the unix socket.
// Threading: any thread. Memory: a row per source with connections, and those of FairRate.
class ConnectionBudget {
 public:
  // The place of one connection; gives it back when it goes. The budget must outlive it.
  class Place {
   public:
    Place(Place&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), source_(other.source_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(source_, other.source_);
      return *this;
    }
    ~Place() {
      if (budget_ != nullptr) budget_->Leave(source_);
    }
    const Source& source() const { return source_; }

   private:
    friend class ConnectionBudget;
    Place(ConnectionBudget& budget, const Source& source) : budget_(&budget), source_(source) {}
    ConnectionBudget* budget_;
    Source source_;
  };

  // `listener`: as LimitReport names it. `report` may be null.
  ConnectionBudget(const ConnectionLimits& limits, std::string listener, LimitReport* report);
  ConnectionBudget(const ConnectionBudget&) = delete;
  ConnectionBudget& operator=(const ConnectionBudget&) = delete;

  // Nothing: close the connection; it has been reported.
  std::optional<Place> Enter(const Source& source, absl::Time now);
  // The same for who may find room and try again: nothing is reported, `refused_by` says why.
  std::optional<Place> TryEnter(const Source& source, absl::Time now, Limit& refused_by);
  void Report(Limit limit, const Source& source) const;
  // The process is out of descriptors, and accepting pauses.
  void ReportExhausted() const { Tell(report_, Limit::kDescriptors, listener_, "this process"); }

  size_t open() const;
  const std::string& listener() const { return listener_; }

 private:
  void Leave(const Source& source);

  const ConnectionLimits limits_;
  const std::string listener_;
  LimitReport* const report_;
  FairRate rate_;
  mutable std::mutex mutex_;  // guards what follows
  size_t open_ = 0;
  absl::flat_hash_map<Source, size_t> sources_;  // those with at least one connection
};

}  // namespace dragonfly::common::limit
