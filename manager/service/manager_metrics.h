#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::manager::service {

// The calls, named as on the wire (CallName).
enum class Call : uint8_t {
  kGetSeedPeer,
  kListSeedPeers,
  kUpdateSeedPeer,
  kDeleteSeedPeer,
  kGetScheduler,
  kUpdateScheduler,
  kListSchedulers,
  kListApplications,
  kKeepAlive
};

// "manager.v2.Manager/GetScheduler".
std::string FullNameOf(Call call);

// The metrics of the manager's gRPC (docs/reference/metrics.md). Threading: any thread.
class ManagerMetrics {
 public:
  // What of the members changes by itself; asked at each scrape.
  struct Sources {
    std::function<size_t()> active_schedulers;
    std::function<size_t()> active_seed_peers;
    std::function<size_t()> keep_alive_streams;
  };
  explicit ManagerMetrics(common::telemetry::Registry& registry);
  ~ManagerMetrics();
  // The last scrape is before what `sources` refers to goes.
  void Watch(Sources sources);

  void Started(Call call);
  void Handled(Call call, const absl::Status& status);
  // A node asked for schedulers, or was told of none. Labels are the node's own words: of more than
  // a few hundred pairs the rest counts as "other", and so do texts that are no versions.
  void Searched(std::string_view version, std::string_view commit);
  void SearchFailed(std::string_view version, std::string_view commit);
  void LivenessWritten(size_t changes);
  void LivenessWriteFailed();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::manager::service
