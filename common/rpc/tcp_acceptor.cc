#include "common/rpc/tcp_acceptor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "common/net/listening_socket.h"
#include "common/os/env.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"

namespace dragonfly::common::rpc {
namespace {

constexpr int kTcpBacklog = 1024;
constexpr int kPauseMilliseconds = 100;
// Of one listener before the others get their turn.
constexpr int kMaxAcceptedInTurn = 64;

}  // namespace

struct TcpAcceptor::Impl {
  Impl(limit::ConnectionBudget& the_budget, AcceptedConnections& the_connections)
      : budget(the_budget), connections(the_connections) {}

  limit::ConnectionBudget& budget;
  AcceptedConnections& connections;
  const os::Clock& clock = os::PosixEnv().clock();
  std::vector<os::UniqueFd> listeners;
  std::vector<net::Endpoint> endpoints;
  os::UniqueFd wake;
  Accepted accepted;
  std::thread thread;

  // False: to stop.
  bool Pause() const {
    pollfd stop = {wake.get(), POLLIN, 0};
    (void)poll(&stop, 1, kPauseMilliseconds);
    return stop.revents == 0;
  }

  // What was waiting, or an end of it. False: to stop.
  bool AcceptSome(size_t listener) {
    const int from = listeners[listener].get();
    for (int i = 0; i < kMaxAcceptedInTurn; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof(address);
      os::UniqueFd connection(accept4(from, reinterpret_cast<sockaddr*>(&address), &size,
                                      SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection.valid()) {
        const auto source = limit::Source::Of(net::EndpointOf(address).ip);
        if (!connections.Add(connection.get(), source, clock.Now())) continue;
        accepted(from, connection.Release());
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection stays in the backlog and the socket readable: without a pause this would
        // spin.
        budget.ReportExhausted();
        return Pause();
      }
      // Everything else is the fault of the connection that was to be accepted (accept(2)).
    }
    return true;
  }

  void Run() {
    std::vector<pollfd> fds;
    fds.reserve(listeners.size() + 1);
    for (const os::UniqueFd& listener : listeners) fds.push_back({listener.get(), POLLIN, 0});
    fds.push_back({wake.get(), POLLIN, 0});
    while (true) {
      if (poll(fds.data(), fds.size(), -1) < 0) {
        if (errno != EINTR && !Pause()) return;
        continue;
      }
      if (fds.back().revents != 0) return;
      for (size_t i = 0; i < listeners.size(); ++i) {
        if (fds[i].revents != 0 && !AcceptSome(i)) return;
      }
    }
  }
};

TcpAcceptor::TcpAcceptor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<TcpAcceptor>> TcpAcceptor::Bind(const std::vector<net::Endpoint>& at,
                                                               limit::ConnectionBudget& budget,
                                                               AcceptedConnections& connections) {
  auto impl = std::make_unique<Impl>(budget, connections);
  for (const net::Endpoint& endpoint : at) {
    absl::StatusOr<net::ListeningSocket> socket = net::ListenTcp(endpoint, kTcpBacklog);
    if (!socket.ok()) return status::Annotate(socket.status(), "gRPC server");
    impl->listeners.push_back(std::move(socket->fd));
    impl->endpoints.push_back(socket->endpoint);
  }
  impl->wake = os::UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->wake.valid()) {
    return status::MakeStatus(absl::StatusCode::kFailedPrecondition, status::ErrorReason::kInternal,
                              "gRPC server: eventfd: " + std::generic_category().message(errno));
  }
  return std::unique_ptr<TcpAcceptor>(new TcpAcceptor(std::move(impl)));
}

TcpAcceptor::~TcpAcceptor() { Stop(); }

const std::vector<net::Endpoint>& TcpAcceptor::endpoints() const { return impl_->endpoints; }

void TcpAcceptor::Start(Accepted accepted) {
  impl_->accepted = std::move(accepted);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  pthread_setname_np(impl_->thread.native_handle(), "grpc-accept");
}

void TcpAcceptor::Stop() {
  if (impl_->thread.joinable()) {
    const uint64_t one = 1;
    (void)!write(impl_->wake.get(), &one, sizeof(one));
    impl_->thread.join();
  }
  impl_->listeners.clear();
}

}  // namespace dragonfly::common::rpc
