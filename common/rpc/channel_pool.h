#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/crypto/tls_source.h"
#include "common/net/endpoint.h"
#include "common/os/env.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace dragonfly::common::rpc {

struct ChannelOptions {
  // Calls fail with UNAVAILABLE when no connection comes up in this time.
  absl::Duration connect_timeout = absl::Seconds(3);
  // HTTP/2 pings, only while calls are active: upstream's servers close what pings more often.
  absl::Duration keepalive = absl::Seconds(300);
  absl::Duration keepalive_timeout = absl::Seconds(20);
  size_t max_receive_message_bytes = size_t{64} << 20;
  size_t max_metadata_bytes = size_t{32} << 10;
  // Null: no TLS. A channel uses what was in force when it was made.
  std::shared_ptr<crypto::TlsSource> tls;
};

// A channel with our options. `target`: "10.0.0.1:8002", "[fd00::1]:8002", "name:65003",
// "unix:/path". It connects when it is first used. Proxies of the environment are not used.
std::shared_ptr<::grpc::Channel> MakeChannel(const std::string& target,
                                             const ChannelOptions& options);

// Channels by address, shared by everybody who talks to it. A channel that nobody holds and nobody
// has asked for lately is closed. When TLS files are replaced, the next Get makes a new channel;
// who holds an old one finishes its calls on it.
//
// Threading: any thread.
class ChannelPool {
 public:
  struct Limits {
    absl::Duration idle = absl::Minutes(10);
    // Beyond it the channel that was asked for longest ago leaves the pool (its holders keep it).
    size_t max_channels = 4096;
  };

  // The clock must outlive the pool.
  ChannelPool(const os::Clock& clock, ChannelOptions options, Limits limits);
  ChannelPool(const os::Clock& clock, ChannelOptions options);
  ChannelPool(const ChannelPool&) = delete;
  ChannelPool& operator=(const ChannelPool&) = delete;
  ~ChannelPool();

  std::shared_ptr<::grpc::Channel> Get(const std::string& target);
  std::shared_ptr<::grpc::Channel> Get(const net::Endpoint& endpoint);
  // Closes what is idle; Get does so too, once in `idle`.
  void DropIdle();
  size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<::grpc::Channel> channel;
    absl::Time last_asked;
  };
  void DropIdleLocked(absl::Time now);

  const os::Clock& clock_;
  const ChannelOptions options_;
  const Limits limits_;
  mutable std::mutex mutex_;  // guards what follows
  absl::flat_hash_map<std::string, Entry> by_target_;
  absl::Time last_sweep_;
  std::shared_ptr<const crypto::TlsMaterial> material_;  // of the channels in the pool
};

}  // namespace dragonfly::common::rpc
