#include "common/rpc/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "common/rpc/library_log.h"
#include "common/rpc/tls.h"
#include "common/rpc/unix_listener.h"
#include "common/rpc/unserved.h"
#include "common/status/reason.h"

namespace dragonfly::common::rpc {
namespace {

int ToInt(size_t value) {
  return static_cast<int>(std::min<size_t>(value, std::numeric_limits<int>::max()));
}

int ToMilliseconds(absl::Duration duration) {
  const int64_t milliseconds = absl::ToInt64Milliseconds(duration);
  return static_cast<int>(std::clamp<int64_t>(milliseconds, 1, std::numeric_limits<int>::max()));
}

void SetLimits(const ServerLimits& limits, ::grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(ToInt(limits.max_receive_message_bytes));
  builder.SetMaxSendMessageSize(ToInt(limits.max_send_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, ToInt(limits.max_metadata_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             ToMilliseconds(limits.min_client_ping_interval));
  // Upstream's unix socket clients ping while idle.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             ToMilliseconds(limits.max_connection_idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             ToMilliseconds(limits.max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             ToMilliseconds(limits.max_connection_age_grace));
  builder.AddChannelArgument("grpc.enable_deadline_checking",
                             limits.enforce_client_deadlines ? 1 : 0);
  // A second process on the same port is a mistake to be told, not a load balancer.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

struct Server::Impl {
  std::vector<net::Endpoint> endpoints;
  std::string unix_socket;
  std::vector<std::string> health_services;
  std::unique_ptr<UnixListener> unix_listener;
  std::shared_ptr<::grpc::ServerCredentials> credentials;  // asked at each handshake
  std::unique_ptr<::grpc::CallbackGenericService> unserved = MakeUnservedMethods();
  std::unique_ptr<::grpc::Server> server;
  bool down = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const std::vector<::grpc::Service*>& services) {
  auto impl = std::make_unique<Impl>();
  impl->endpoints = options.listen;
  impl->unix_socket = options.unix_socket;
  impl->health_services = options.health_services;
  if (!options.unix_socket.empty()) {
    auto listener = UnixListener::Bind(options.unix_socket, options.unix_socket_mode);
    if (!listener.ok()) return listener.status();
    impl->unix_listener = std::move(*listener);
  }

  LogLibraries();
  ::grpc::EnableDefaultHealthCheckService(true);
  ::grpc::ServerBuilder builder;
  SetLimits(options.limits, builder);
  impl->credentials = options.tls != nullptr ? MakeServerCredentials(options.tls)
                                             : ::grpc::InsecureServerCredentials();
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < ports.size(); ++i) {
    builder.AddListeningPort(options.listen[i].ToString(), impl->credentials, &ports[i]);
  }
  for (::grpc::Service* service : services) {
    // A method of another kind brings threads of its own, without a bound that we know.
    if (service->has_synchronous_methods() || service->has_async_methods()) {
      return status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                                "gRPC server: a service has methods that are not callbacks; "
                                "common/rpc/served_methods.h leaves out those that are not served");
    }
    builder.RegisterService(service);
  }
  builder.RegisterCallbackGenericService(impl->unserved.get());
  impl->server = builder.BuildAndStart();
  for (size_t i = 0; i < ports.size(); ++i) {
    if (impl->server != nullptr && ports[i] > 0) {
      impl->endpoints[i].port = static_cast<uint16_t>(ports[i]);
      continue;
    }
    return status::MakeStatus(absl::StatusCode::kFailedPrecondition, status::ErrorReason::kConflict,
                              "gRPC server: cannot listen on " + options.listen[i].ToString() +
                                  "; the port is taken or the address is not of this host");
  }
  if (impl->server == nullptr) {
    return status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                              "gRPC server: could not be started");
  }

  std::unique_ptr<Server> out(new Server(std::move(impl)));
  out->SetServing(true);
  if (out->impl_->unix_listener != nullptr) {
    out->impl_->unix_listener->Start(
        [server = out->impl_->server.get()](int fd, const PeerCredentials& /*credentials*/) {
          ::grpc::AddInsecureChannelFromFd(server, fd);
        });
  }
  return out;
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

const std::vector<net::Endpoint>& Server::endpoints() const { return impl_->endpoints; }

const std::string& Server::unix_socket() const { return impl_->unix_socket; }

void Server::SetServing(bool serving) {
  ::grpc::HealthCheckServiceInterface* health = impl_->server->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus("", serving);
  for (const std::string& service : impl_->health_services) {
    health->SetServingStatus(service, serving);
  }
}

void Server::Shutdown(absl::Duration grace) {
  if (impl_->down) return;
  impl_->down = true;
  SetServing(false);
  if (impl_->unix_listener != nullptr) impl_->unix_listener->Stop();
  const absl::Duration bounded =
      std::clamp(grace, absl::ZeroDuration(), absl::Duration(absl::Hours(1)));
  impl_->server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(bounded));
  impl_->server->Wait();
  impl_->unix_listener.reset();
}

}  // namespace dragonfly::common::rpc
