#include "common/rpc/channel_pool.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/rpc/callback_queue.h"
#include "common/rpc/library_log.h"
#include "common/rpc/tls.h"

namespace dragonfly::common::rpc {
namespace {

int ToArgument(int64_t value) {
  return static_cast<int>(std::clamp<int64_t>(value, 1, std::numeric_limits<int>::max()));
}

int MillisecondsArgument(absl::Duration duration) {
  return ToArgument(absl::ToInt64Milliseconds(duration));
}

}  // namespace

std::shared_ptr<::grpc::Channel> MakeChannel(const std::string& target,
                                             const ChannelOptions& options) {
  KeepCallbackQueue();
  LogLibraries();
  ::grpc::ChannelArguments arguments;
  // gRPC gives up on an attempt to connect after the time that it waits before the next one.
  const int connect = MillisecondsArgument(options.connect_timeout);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, std::min(connect, 500));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, std::max(connect, 5000));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, MillisecondsArgument(options.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, MillisecondsArgument(options.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE,
                   ToArgument(static_cast<int64_t>(options.max_metadata_bytes)));
  arguments.SetMaxReceiveMessageSize(
      ToArgument(static_cast<int64_t>(options.max_receive_message_bytes)));
  arguments.SetMaxSendMessageSize(-1);  // the server's limit decides
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Retries are the caller's, who knows what may be sent twice; service configurations from DNS are
  // not ours to obey.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  const std::shared_ptr<::grpc::ChannelCredentials> credentials =
      options.tls != nullptr ? MakeChannelCredentials(*options.tls->current())
                             : ::grpc::InsecureChannelCredentials();
  return ::grpc::CreateCustomChannel(target, credentials, arguments);
}

ChannelPool::ChannelPool(const os::Clock& clock, ChannelOptions options, Limits limits)
    : clock_(clock), options_(std::move(options)), limits_(limits), last_sweep_(clock.Now()) {}

ChannelPool::ChannelPool(const os::Clock& clock, ChannelOptions options)
    : ChannelPool(clock, std::move(options), Limits()) {}

ChannelPool::~ChannelPool() = default;

std::shared_ptr<::grpc::Channel> ChannelPool::Get(const net::Endpoint& endpoint) {
  return Get(endpoint.ToString());
}

std::shared_ptr<::grpc::Channel> ChannelPool::Get(const std::string& target) {
  const absl::Time now = clock_.Now();
  std::lock_guard lock(mutex_);
  if (now - last_sweep_ >= limits_.idle) DropIdleLocked(now);
  if (options_.tls != nullptr) {
    std::shared_ptr<const crypto::TlsMaterial> material = options_.tls->current();
    if (material != material_) by_target_.clear();
    material_ = std::move(material);
  }
  Entry& entry = by_target_[target];
  if (entry.channel == nullptr) entry.channel = MakeChannel(target, options_);
  entry.last_asked = now;
  std::shared_ptr<::grpc::Channel> out = entry.channel;
  if (by_target_.size() > limits_.max_channels) {
    const auto oldest = std::min_element(by_target_.begin(), by_target_.end(),
                                         [&target](const auto& a, const auto& b) {
                                           if ((a.first == target) != (b.first == target))
                                             return b.first == target;
                                           return a.second.last_asked < b.second.last_asked;
                                         });
    by_target_.erase(oldest);
  }
  return out;
}

void ChannelPool::DropIdle() {
  const absl::Time now = clock_.Now();
  std::lock_guard lock(mutex_);
  DropIdleLocked(now);
}

void ChannelPool::DropIdleLocked(absl::Time now) {
  last_sweep_ = now;
  absl::erase_if(by_target_, [&](const auto& item) {
    const Entry& entry = item.second;
    return now - entry.last_asked >= limits_.idle && entry.channel.use_count() == 1;
  });
}

size_t ChannelPool::size() const {
  std::lock_guard lock(mutex_);
  return by_target_.size();
}

}  // namespace dragonfly::common::rpc
