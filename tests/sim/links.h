#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/event_queue.h"

namespace dragonfly::sim {

using HostId = uint32_t;

// Who is where. Hosts of a rack are nearest; an IDC may have an uplink of its own, which all its
// hosts share, each way.
struct Topology {
  Nanos rack_latency = kMillisecond / 4;  // one way
  Nanos idc_latency = kMillisecond / 4;
  Nanos cross_latency = kMillisecond / 4;
  double idc_bytes_per_second = 0;  // across, each way; 0: no limit
  // Share of packets lost, for what one flow can carry; 0: none.
  double loss = 0;
  double cross_loss = 0;
};

struct LinkRates {
  double up = 0;  // bytes per second
  double down = 0;
  uint32_t idc = 0;
  uint32_t rack = 0;
};

// When bytes arrive. An uplink sends one block at a time. The block occupies the receiver's
// downlink for bytes / down from when the uplink begins to send it (cut-through: its first byte
// does not wait for its last one), after what is on its way already; between IDCs it does the same
// with both IDCs' uplinks. It arrives one latency after the last of these ends. A flow with loss is
// slower than the links it uses.
//
// Not modelled: slow start, switches and rack uplinks, CPU, disks.
//
// Threading: a value.
class Links {
 public:
  explicit Links(Topology topology) : topology_(topology) {}

  HostId Add(const LinkRates& rates);
  size_t size() const { return hosts_.size(); }
  const LinkRates& rates(HostId host) const { return hosts_[host].rates; }
  void SetRates(HostId host, double up, double down);
  // Of a host outside all IDCs (the origin): this latency to everybody.
  void SetLatency(HostId host, Nanos latency) { hosts_[host].own_latency = latency; }

  // One way, for everything that is small.
  Nanos Latency(HostId from, HostId to) const;
  // Bytes per second that a flow between the two can carry because of loss; 0: any.
  double FlowLimit(HostId from, HostId to) const;

  struct Sent {
    Nanos sent = 0;     // the uplink is free
    Nanos arrives = 0;  // all of it is there
  };
  // `flow_free`: when the flow has carried what it was given before; moved on.
  Sent Send(HostId from, HostId to, uint32_t bytes, Nanos now, Nanos& flow_free);

  // Bytes of blocks between IDCs so far.
  uint64_t cross_bytes() const { return cross_bytes_; }

 private:
  struct HostLink {
    LinkRates rates;
    Nanos down_free = 0;
    Nanos own_latency = -1;
  };
  struct IdcLink {
    Nanos out_free = 0;
    Nanos in_free = 0;
  };
  bool IsCross(HostId from, HostId to) const;

  Topology topology_;
  std::vector<HostLink> hosts_;
  std::vector<IdcLink> idcs_;
  uint64_t cross_bytes_ = 0;
};

// Nanoseconds that `bytes` take at a rate; rounded up.
Nanos TimeFor(uint64_t bytes, double bytes_per_second);

}  // namespace dragonfly::sim
