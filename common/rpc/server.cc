#include "common/rpc/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "common/os/env.h"
#include "common/rpc/accepted_connections.h"
#include "common/rpc/library_log.h"
#include "common/rpc/tcp_acceptor.h"
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
  // What clients send is small: how much the line holds is not worth the pings that measure it,
  // which cost three wake-ups for each message on a quiet stream.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument("grpc.enable_deadline_checking",
                             limits.enforce_client_deadlines ? 1 : 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             ToMilliseconds(limits.handshake_timeout));
}

}  // namespace

struct Server::Impl {
  explicit Impl(const ServerOptions& options)
      : budget(options.limits.connections, options.name, options.report) {}

  std::vector<net::Endpoint> endpoints;
  std::string unix_socket;
  std::vector<std::string> health_services;
  limit::ConnectionBudget budget;
  AcceptedConnections connections{budget};
  std::unique_ptr<UnixListener> unix_listener;
  std::unique_ptr<TcpAcceptor> tcp_acceptor;
  std::shared_ptr<::grpc::ServerCredentials> credentials;  // asked at each handshake
  std::unique_ptr<::grpc::CallbackGenericService> unserved = MakeUnservedMethods();
  std::unique_ptr<::grpc::experimental::ExternalConnectionAcceptor> handed;  // TCP connections
  std::unique_ptr<::grpc::Server> server;
  bool down = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const std::vector<::grpc::Service*>& services) {
  auto impl = std::make_unique<Impl>(options);
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
  if (!options.listen.empty()) {
    auto acceptor = TcpAcceptor::Bind(options.listen, impl->budget, impl->connections);
    if (!acceptor.ok()) return acceptor.status();
    impl->tcp_acceptor = *std::move(acceptor);
    impl->endpoints = impl->tcp_acceptor->endpoints();
    impl->handed = builder.experimental().AddExternalConnectionAcceptor(
        ::grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        impl->credentials);
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
  if (impl->server == nullptr) {
    return status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                              "gRPC server: could not be started");
  }

  std::unique_ptr<Server> out(new Server(std::move(impl)));
  out->SetServing(true);
  out->Accept();
  return out;
}

void Server::Accept() {
  if (impl_->tcp_acceptor != nullptr) {
    impl_->tcp_acceptor->Start([handed = impl_->handed.get()](int listener, int fd) {
      ::grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = listener;
      connection.fd = fd;
      handed->HandleNewConnection(&connection);
    });
  }
  if (impl_->unix_listener != nullptr) {
    impl_->unix_listener->Start(
        [impl = impl_.get()](int fd, const PeerCredentials& credentials) {
          const auto source = limit::Source::OfUser(credentials.uid);
          if (impl->connections.Add(fd, source, os::PosixEnv().clock().Now())) {
            ::grpc::AddInsecureChannelFromFd(impl->server.get(), fd);
          } else {
            (void)close(fd);
          }
        },
        [impl = impl_.get()] { impl->budget.ReportExhausted(); });
  }
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

const std::vector<net::Endpoint>& Server::endpoints() const { return impl_->endpoints; }

const std::string& Server::unix_socket() const { return impl_->unix_socket; }

size_t Server::connections() const { return impl_->connections.CountOpen(); }

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
  // First: what is handed to a server that is down is closed by nobody.
  if (impl_->tcp_acceptor != nullptr) impl_->tcp_acceptor->Stop();
  if (impl_->unix_listener != nullptr) impl_->unix_listener->Stop();
  const absl::Duration bounded =
      std::clamp(grace, absl::ZeroDuration(), absl::Duration(absl::Hours(1)));
  impl_->server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(bounded));
  impl_->server->Wait();
  impl_->unix_listener.reset();
}

}  // namespace dragonfly::common::rpc
