#include "dfdaemon/core/uplink_meter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dragonfly::dfdaemon::core {
namespace {

// A slow uplink sends a few blocks in an interval, and one more or less would be news each time: an
// interval goes on until it has as many, or is as many intervals long.
constexpr uint32_t kEnoughSends = 8;
constexpr int kMostIntervals = 10;

}  // namespace

UplinkMeter::UplinkMeter(Options options, double announced)
    : options_(options), reported_(announced) {}

void UplinkMeter::SetBusy(bool busy, absl::Time now) {
  if (busy == busy_) return;
  if (busy_) busy_time_ += std::max(now - busy_since_, absl::ZeroDuration());
  busy_ = busy;
  busy_since_ = now;
  if (busy && interval_began_ == absl::InfiniteFuture()) interval_began_ = now;
}

void UplinkMeter::OnSent(uint64_t bytes) {
  if (!busy_) return;  // of time that does not count either
  sent_ += bytes;
  ++sends_;
}

absl::Time UplinkMeter::next_poll() const {
  if (interval_began_ == absl::InfiniteFuture()) return interval_began_;
  return interval_began_ + options_.interval * (extended_ + 1);
}

std::optional<double> UplinkMeter::Poll(absl::Time now) {
  if (now < next_poll()) return std::nullopt;
  const absl::Duration passed = now - interval_began_;
  absl::Duration busy_time = busy_time_;
  if (busy_) busy_time += std::max(now - busy_since_, absl::ZeroDuration());
  const bool counts = busy_time >= options_.least_busy * passed;
  if (counts && busy_ && sends_ < kEnoughSends && passed < options_.interval * kMostIntervals) {
    extended_ = static_cast<int>(passed / options_.interval);
    return std::nullopt;
  }
  const uint64_t sent = std::exchange(sent_, 0);
  sends_ = 0;
  extended_ = 0;
  busy_time_ = absl::ZeroDuration();
  busy_since_ = now;
  interval_began_ = busy_ ? now : absl::InfiniteFuture();
  if (!counts || busy_time <= absl::ZeroDuration()) return std::nullopt;
  const double value = static_cast<double>(sent) / absl::ToDoubleSeconds(busy_time);
  if (reported_ > 0 && std::abs(value - reported_) <= options_.change * reported_)
    return std::nullopt;
  if (reported_ <= 0 && value <= 0) return std::nullopt;
  reported_ = value;
  return value;
}

}  // namespace dragonfly::dfdaemon::core
