#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/rpc/channel_pool.h"
#include "scheduler/job/host_client.h"

namespace dragonfly::scheduler::job {

// dfdaemon.v2.DfdaemonUpload of the hosts, over the channels of two pools.
// Threading: as HostClient.
class DfdaemonClient final : public HostClient {
 public:
  struct Options {
    std::string remote_ip;  // ours, told to the daemons as the requester
    // A daemon reports each piece that it has downloaded. Longer than it may wait for a parent.
    absl::Duration silence = absl::Minutes(10);
    absl::Duration call_timeout = absl::Seconds(30);
  };
  // The pools must outlive the client; they may be one.
  DfdaemonClient(common::rpc::ChannelPool& seed_channels, common::rpc::ChannelPool& peer_channels,
                 Options options);

  common::async::Co<absl::Status> Download(common::async::CancelScope& scope, DaemonAddress address,
                                           DownloadOrder order) override;
  common::async::Co<absl::StatusOr<LocalTask>> StatLocal(common::async::CancelScope& scope,
                                                         DaemonAddress address,
                                                         std::string task_id) override;
  common::async::Co<absl::Status> Delete(common::async::CancelScope& scope, DaemonAddress address,
                                         std::string task_id) override;
  common::async::Co<absl::StatusOr<std::vector<Entry>>> List(common::async::CancelScope& scope,
                                                             DaemonAddress address,
                                                             ListOrder order) override;

 private:
  common::rpc::ChannelPool& ChannelsOf(const DaemonAddress& address) {
    return address.is_seed ? seed_channels_ : peer_channels_;
  }

  common::rpc::ChannelPool& seed_channels_;
  common::rpc::ChannelPool& peer_channels_;
  const Options options_;
};

}  // namespace dragonfly::scheduler::job
