#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduler/core/types.h"
#include "scheduler/swarm/uplink.h"

namespace dragonfly::scheduler::core {

// What a host said about itself in its last announcement. Immutable.
struct HostFacts {
  std::string id;
  HostType type = HostType::kNormal;
  std::string name;  // namespace and pod, or empty
  std::string hostname;
  std::string ip;
  int32_t port = 0;             // DfdaemonUpload
  int32_t download_port = 0;    // where the daemon answers task operations
  bool disable_shared = false;  // never a parent
  std::string idc;
  std::string location;               // most general part first, parts separated by '|'
  uint64_t max_tx_bandwidth_bps = 0;  // bits per second; 0: not said, here and below
  uint64_t tx_bandwidth_bps = 0;      // what it sends at present, to whomever
  uint64_t max_rx_bandwidth_bps = 0;
  absl::Duration announce_interval;  // zero: not said; the host is then never idle
  std::string serialized;            // common.v2.Host as the service made it; opaque here

  bool is_seed() const { return type != HostType::kNormal; }
};

// What one child costs a parent's host: its window of pieces, divided by the number of its parents.
// An edge remembers what it reserved, so that release is exact whatever changed in between.
struct HostCharge {
  uint64_t tx_bandwidth_bps = 0;
  uint64_t content_length = 0;
  uint64_t pieces = 0;
};

struct HostLoad {
  uint64_t tx_bandwidth_bps = 0;
  uint64_t content_length = 0;
  uint64_t pieces = 0;
  uint64_t children = 0;
};

// A host that announced itself. Shared by the table and by the peers of all shards.
// Threading: everything from any thread.
class Host {
 public:
  Host(HostFacts facts, absl::Time now);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::shared_ptr<const HostFacts> facts() const;
  const std::string& id() const { return id_; }

  void Reserve(const HostCharge& charge);
  void Release(const HostCharge& charge);
  // With what the shares of stripes come to.
  HostLoad load() const;

  // What it can send and what of it is promised.
  swarm::Uplink& uplink() { return uplink_; }
  const swarm::Uplink& uplink() const { return uplink_; }
  // What its uploads came to, bytes per second: believed from now on, whatever it announces.
  void SetMeasuredUplink(int64_t bytes_per_second);

  // Announced, or one of its peers served a piece.
  void Touch(absl::Time now) {
    updated_nanos_.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  }
  absl::Time updated() const {
    return absl::FromUnixNanos(updated_nanos_.load(std::memory_order_relaxed));
  }
  absl::Time announced() const {
    return absl::FromUnixNanos(announced_nanos_.load(std::memory_order_relaxed));
  }

  void AddPeer() { peers_.fetch_add(1, std::memory_order_relaxed); }
  void RemovePeer() { peers_.fetch_sub(1, std::memory_order_relaxed); }
  uint64_t peers() const { return peers_.load(std::memory_order_relaxed); }

 private:
  friend class HostTable;
  void Update(HostFacts facts, absl::Time now);
  void EstimateUplink(const HostFacts& facts);

  const std::string id_;
  mutable std::mutex mutex_;  // guards facts_
  std::shared_ptr<const HostFacts> facts_;
  std::atomic<int64_t> updated_nanos_;
  std::atomic<int64_t> announced_nanos_;
  std::atomic<uint64_t> tx_bandwidth_{0};
  std::atomic<uint64_t> content_length_{0};
  std::atomic<uint64_t> pieces_{0};
  std::atomic<uint64_t> children_{0};
  std::atomic<uint64_t> peers_{0};
  std::atomic<bool> uplink_measured_{false};
  swarm::Uplink uplink_;
};

// All hosts of the scheduler.
// Threading: everything from any thread.
class HostTable {
 public:
  struct Announced {
    std::shared_ptr<Host> host;
    bool created = false;
    // What its uplink is thought to carry changed by more than a tenth.
    bool uplink_changed = false;
    // The address, the type or the willingness to share changed: the seed ring has to be made
    // again.
    bool placement_changed = false;
  };

  explicit HostTable(size_t max_hosts) : max_hosts_(max_hosts) {}

  // Creates or updates. At the cap the longest idle host without peers makes room; when there is
  // none, RESOURCE_EXHAUSTED (kOverloaded).
  absl::StatusOr<Announced> Announce(HostFacts facts, absl::Time now);
  std::shared_ptr<Host> Find(std::string_view id) const;
  // Null when it is unknown.
  std::shared_ptr<Host> Remove(std::string_view id);
  // All, or those of one type; unordered.
  std::vector<std::shared_ptr<Host>> List(std::optional<HostType> type = std::nullopt) const;
  // Removes and returns the hosts that did not announce themselves for twice their interval.
  std::vector<std::shared_ptr<Host>> ExpireIdle(absl::Time now);
  size_t size() const;

 private:
  // With mutex_ held.
  bool MakeRoom(absl::Time now);

  const size_t max_hosts_;
  mutable std::mutex mutex_;  // guards hosts_
  absl::flat_hash_map<std::string, std::shared_ptr<Host>> hosts_;
};

}  // namespace dragonfly::scheduler::core
