#include "common/limit/connection_budget.h"

#include "absl/hash/hash.h"

namespace dragonfly::common::limit {

ConnectionBudget::ConnectionBudget(const ConnectionLimits& limits, std::string listener,
                                   LimitReport* report)
    : limits_(limits),
      listener_(std::move(listener)),
      report_(report),
      rate_(FairRate::Options{limits.new_per_second, limits.burst}) {}

std::optional<ConnectionBudget::Place> ConnectionBudget::Enter(const Source& source,
                                                               absl::Time now) {
  Limit refused_by = Limit::kConnections;
  std::optional<Place> place = TryEnter(source, now, refused_by);
  if (!place) Report(refused_by, source);
  return place;
}

std::optional<ConnectionBudget::Place> ConnectionBudget::TryEnter(const Source& source,
                                                                  absl::Time now,
                                                                  Limit& refused_by) {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(source);
  if (found != sources_.end() && found->second >= limits_.per_source) {
    refused_by = Limit::kConnectionsPerSource;
    return std::nullopt;
  }
  if (open_ >= limits_.total) {
    refused_by = Limit::kConnections;
    return std::nullopt;
  }
  if (!rate_.Admit(absl::HashOf(source), now)) {
    refused_by = Limit::kConnectionRate;
    return std::nullopt;
  }
  ++open_;
  ++sources_[source];
  return Place(*this, source);
}

void ConnectionBudget::Report(Limit limit, const Source& source) const {
  if (report_ != nullptr) report_->Exceeded(limit, listener_, source.ToString());
}

size_t ConnectionBudget::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

void ConnectionBudget::Leave(const Source& source) {
  const std::lock_guard lock(mutex_);
  --open_;
  const auto found = sources_.find(source);
  if (--found->second == 0) sources_.erase(found);
}

}  // namespace dragonfly::common::limit
