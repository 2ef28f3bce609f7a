#include "tests/sim/links.h"

#include <algorithm>
#include <cmath>

namespace dragonfly::sim {
namespace {

constexpr double kSegmentBytes = 1460;
// Of the usual formula for what a TCP flow carries: segment / round trip * C / sqrt(loss).
constexpr double kLossFactor = 1.22;

}  // namespace

Nanos TimeFor(uint64_t bytes, double bytes_per_second) {
  return static_cast<Nanos>(std::ceil(static_cast<double>(bytes) * 1e9 / bytes_per_second));
}

HostId Links::Add(const LinkRates& rates) {
  hosts_.push_back(HostLink{rates, 0, -1});
  if (rates.idc >= idcs_.size()) idcs_.resize(rates.idc + 1);
  return static_cast<HostId>(hosts_.size() - 1);
}

void Links::SetRates(HostId host, double up, double down) {
  hosts_[host].rates.up = up;
  hosts_[host].rates.down = down;
}

bool Links::IsCross(HostId from, HostId to) const {
  const HostLink& a = hosts_[from];
  const HostLink& b = hosts_[to];
  return a.own_latency < 0 && b.own_latency < 0 && a.rates.idc != b.rates.idc;
}

Nanos Links::Latency(HostId from, HostId to) const {
  const HostLink& a = hosts_[from];
  const HostLink& b = hosts_[to];
  if (a.own_latency >= 0 || b.own_latency >= 0) return std::max(a.own_latency, b.own_latency);
  if (a.rates.idc != b.rates.idc) return topology_.cross_latency;
  return a.rates.rack == b.rates.rack ? topology_.rack_latency : topology_.idc_latency;
}

double Links::FlowLimit(HostId from, HostId to) const {
  const double loss = IsCross(from, to) ? topology_.cross_loss : topology_.loss;
  if (loss <= 0) return 0;
  const double round_trip = 2 * static_cast<double>(Latency(from, to)) / 1e9;
  return kSegmentBytes * kLossFactor / (round_trip * std::sqrt(loss));
}

Links::Sent Links::Send(HostId from, HostId to, uint32_t bytes, Nanos now, Nanos& flow_free) {
  HostLink& source = hosts_[from];
  HostLink& target = hosts_[to];
  Sent out;
  out.sent = now + TimeFor(bytes, source.rates.up);
  target.down_free = std::max(target.down_free, now) + TimeFor(bytes, target.rates.down);
  Nanos last = std::max(out.sent, target.down_free);
  if (IsCross(from, to)) {
    cross_bytes_ += bytes;
    if (topology_.idc_bytes_per_second > 0) {
      const Nanos takes = TimeFor(bytes, topology_.idc_bytes_per_second);
      Nanos& egress = idcs_[source.rates.idc].out_free;
      Nanos& ingress = idcs_[target.rates.idc].in_free;
      egress = std::max(egress, now) + takes;
      ingress = std::max(ingress, now) + takes;
      last = std::max({last, egress, ingress});
    }
  }
  if (const double limit = FlowLimit(from, to); limit > 0)
    last = std::max(last, std::max(flow_free, now) + TimeFor(bytes, limit));
  // Blocks of a flow do not overtake one another.
  last = std::max(last, flow_free);
  flow_free = last;
  out.arrives = last + Latency(from, to);
  return out;
}

}  // namespace dragonfly::sim
