#include "common/limit/limit_report.h"

#include <utility>

#include "absl/hash/hash.h"
#include "common/log/log.h"

namespace dragonfly::common::limit {
namespace {

constexpr absl::Duration kInterval = absl::Minutes(1);

constexpr std::array<std::string_view, kLimitCount> kNames = {"connections",
                                                              "connections_per_source",
                                                              "connection_rate",
                                                              "handshake",
                                                              "descriptors",
                                                              "head",
                                                              "slow_request",
                                                              "body",
                                                              "bodies",
                                                              "frame",
                                                              "rate",
                                                              "calls",
                                                              "streams_per_host",
                                                              "streams_per_task",
                                                              "keep_alive_streams",
                                                              "idle",
                                                              "pool",
                                                              "passwords",
                                                              "attempts",
                                                              "audits",
                                                              "time",
                                                              "identity",
                                                              "shutdown"};
static_assert(!kNames.back().empty(), "every limit has a name");

void WriteToLog(const LimitReport::Line& line) {
  log::Warning("limit exceeded", log::kv("limit", line.limit), log::kv("listener", line.listener),
               log::kv("source", line.source), log::kv("left_out", line.left_out));
}

}  // namespace

std::string_view NameOf(Limit limit) { return kNames.at(static_cast<size_t>(limit)); }

LimitReport::LimitReport(telemetry::Registry& registry, const std::string& prefix,
                         const os::Clock& clock, Write write)
    : clock_(clock), write_(write ? std::move(write) : Write(WriteToLog)) {
  auto& family = registry.AddCounter(
      {.name = prefix + "_limit_exceeded_total",
       .help = "What was refused, closed or dropped because a limit of a listener was reached.",
       .labels = {"limit"}});
  for (size_t i = 0; i < kLimitCount; ++i) counters_[i] = &family.With({std::string(kNames[i])});
}

void LimitReport::Exceeded(Limit limit, std::string_view listener, std::string_view source) {
  counters_.at(static_cast<size_t>(limit))->Add();
  const uint64_t pair = absl::HashOf(limit, listener, source);
  uint64_t left_out = 0;
  if (MaySay(pair, clock_.Now(), left_out)) write_({NameOf(limit), listener, source, left_out});
}

double LimitReport::Count(Limit limit) const {
  return counters_.at(static_cast<size_t>(limit))->Value();
}

bool LimitReport::MaySay(uint64_t pair, absl::Time now, uint64_t& left_out) {
  const std::lock_guard lock(mutex_);
  const auto found = said_.find(pair);
  if (found != said_.end()) {
    Said& said = found->second;
    if (now - said.at < kInterval) {
      ++said.left_out;
      return false;
    }
    left_out = std::exchange(said.left_out, 0);
    said.at = now;
    order_.splice(order_.end(), order_, said.place);
    return true;
  }
  if (said_.size() >= kMaxSources) {
    const auto oldest = said_.find(order_.front());
    if (now - oldest->second.at < kInterval) return false;
    said_.erase(oldest);
    order_.pop_front();
  }
  said_[pair] = {now, 0, order_.insert(order_.end(), pair)};
  return true;
}

}  // namespace dragonfly::common::limit
