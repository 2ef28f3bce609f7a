#include "dfdaemon/core/downlink_meter.h"

#include <algorithm>
#include <cmath>

namespace dragonfly::dfdaemon::core {
namespace {

constexpr absl::Duration kFirstTau = absl::Milliseconds(50);  // nothing is known yet
constexpr absl::Duration kLeastTau = absl::Milliseconds(10);  // of a measured downlink
constexpr absl::Duration kMostTau = absl::Seconds(1);
constexpr absl::Duration kShortestTau = absl::Microseconds(100);  // of an announced one
constexpr absl::Duration kBestHalfLife = absl::Seconds(10);
constexpr double kBitsPerByte = 8;

}  // namespace

DownlinkMeter::DownlinkMeter(Options options) : options_(options) { Recompute(); }

double DownlinkMeter::downlink() const {
  return options_.announced_bps > 0 ? static_cast<double>(options_.announced_bps) / kBitsPerByte
                                    : best_;
}

void DownlinkMeter::SetPieceLength(uint64_t bytes) {
  piece_length_ = bytes;
  Recompute();
}

void DownlinkMeter::OnAnswer(absl::Duration took) {
  if (took >= least_answer_) return;
  least_answer_ = took;
  Recompute();
}

void DownlinkMeter::Recompute() {
  const double downlink_rate = downlink();
  tau_ = kFirstTau;
  if (piece_length_ > 0 && downlink_rate > 0) {
    tau_ = absl::Seconds(static_cast<double>(piece_length_) / downlink_rate);
    tau_ = options_.announced_bps > 0 ? std::max(tau_, kShortestTau)
                                      : std::clamp(tau_, kLeastTau, kMostTau);
  }
  if (least_answer_ != absl::InfiniteDuration()) tau_ = std::max(tau_, least_answer_);
  window_seconds_ = options_.window * absl::ToDoubleSeconds(tau_);
}

double DownlinkMeter::Goodput(absl::Time now) const {
  if (rate_ <= 0) return 0;
  return rate_ * std::exp(-absl::ToDoubleSeconds(now - rate_at_) / window_seconds_);
}

double DownlinkMeter::BestGoodput(absl::Time now) const {
  if (best_ <= 0) return 0;
  return best_ * std::exp2(-absl::FDivDuration(now - best_at_, kBestHalfLife));
}

void DownlinkMeter::OnBytes(uint64_t bytes, absl::Time now) {
  rate_ = Goodput(now) + static_cast<double>(bytes) / window_seconds_;
  rate_at_ = now;
  if (options_.announced_bps > 0) return;
  best_ = std::max(BestGoodput(now), rate_);
  best_at_ = now;
  Recompute();
}

absl::Time DownlinkMeter::FullUntil(absl::Time now) const {
  if (options_.announced_bps == 0) return absl::InfinitePast();
  const double limit = options_.full * downlink();
  const double goodput = Goodput(now);
  if (goodput <= limit) return absl::InfinitePast();
  return now + absl::Seconds(std::log(goodput / limit) * window_seconds_) + absl::Microseconds(1);
}

}  // namespace dragonfly::dfdaemon::core
