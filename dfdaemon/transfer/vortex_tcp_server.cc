#include "dfdaemon/transfer/vortex_tcp_server.h"

#include <sys/socket.h>

#include <array>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/async/tcp.h"
#include "common/crypto/tls_stream.h"
#include "common/log/log.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "dfdaemon/transfer/vortex_tcp_connection.h"

namespace dragonfly::dfdaemon::transfer {

namespace async = common::async;
namespace net = common::net;
using common::status::ErrorReason;
using common::status::MakeStatus;

namespace {

absl::Status Stopping() {
  return MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kShutdown, "the piece server stops");
}

}  // namespace

struct VortexTcpServer::Impl {
  using Limit = common::limit::Limit;
  using Place = common::limit::ConnectionBudget::Place;
  using Source = common::limit::Source;

  // What runs on one executor.
  struct Shard {
    explicit Shard(async::Executor the_executor)
        : executor(the_executor), scope(the_executor), group(the_executor) {}
    async::Executor executor;
    async::CancelScope scope;
    async::TaskGroup group;
    std::list<VortexTcpConnection*> connections;  // on the frames of their coroutines
    bool draining = false;
  };

  Impl(VortexTcpServerOptions the_options, PieceProvider& the_provider, BlockPool& the_pool)
      : options(std::move(the_options)),
        provider(the_provider),
        pool(the_pool),
        budget(options.connections, std::string(kPieceListener), options.report) {
    if (options.tls) tls.emplace(options.tls);
  }

  async::Co<void> AcceptConnections(async::CancelScope& scope);
  async::Co<void> RunConnection(Shard& shard, std::unique_ptr<async::TcpStream> stream,
                                Place place);
  async::Co<std::unique_ptr<async::TcpStream>> Secure(Shard& shard,
                                                      std::unique_ptr<async::TcpStream> stream,
                                                      Source source);
  void Hand(Shard& shard, std::unique_ptr<async::TcpStream> stream, Place place);

  const VortexTcpServerOptions options;
  PieceProvider& provider;
  BlockPool& pool;
  std::optional<common::crypto::TlsServer> tls;
  common::limit::ConnectionBudget budget;
  const common::os::Clock& clock = common::os::PosixEnv().clock();
  VortexServerStats stats;
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<async::TcpListener> listener;
  // Of the accepting coroutine; belong to the first executor.
  std::optional<async::CancelScope> accept_scope;
  std::optional<async::TaskGroup> accept_group;
  size_t next_shard = 0;
};

async::Co<void> VortexTcpServer::Impl::AcceptConnections(async::CancelScope& scope) {
  while (true) {
    Shard& shard = *shards[next_shard];
    async::TcpStream::Options stream_options;
    absl::StatusOr<std::unique_ptr<async::TcpStream>> stream =
        co_await listener->Accept(scope, shard.executor, stream_options);
    if (!stream.ok()) co_return;
    std::optional<Place> place = budget.Enter(Source::Of((*stream)->peer().ip), clock.Now());
    if (!place) continue;  // closes it
    ++stats.connections_accepted;
    ++stats.connections_open;
    next_shard = (next_shard + 1) % shards.size();
    Hand(shard, std::move(*stream), *std::move(place));
  }
}

void VortexTcpServer::Impl::Hand(Shard& shard, std::unique_ptr<async::TcpStream> stream,
                                 Place place) {
  // std::function wants to be copyable.
  using Held = std::pair<std::unique_ptr<async::TcpStream>, std::optional<Place>>;
  auto held = std::make_shared<Held>(std::move(stream), std::move(place));
  async::Post(shard.executor, [this, &shard, held] {
    if (shard.draining || shard.scope.cancelled()) {
      held->first.reset();
      held->second.reset();
      --stats.connections_open;
      return;
    }
    shard.group.Spawn(RunConnection(shard, std::move(held->first), *std::move(held->second)));
    held->second.reset();  // has moved on
  });
}

// The stream to serve; null when the child may not be served. Two bytes tell a ClientHello (16 03)
// from any request: no request has the tag 3.
async::Co<std::unique_ptr<async::TcpStream>> VortexTcpServer::Impl::Secure(
    Shard& shard, std::unique_ptr<async::TcpStream> stream, Source source) {
  if (!tls) co_return stream;
  std::array<unsigned char, 2> begin{};
  async::CancelScope first(shard.scope, options.first_request_timeout);
  stream->SetReadLowWater(begin.size());
  absl::Status readable = co_await stream->WaitReadable(first);
  if (!readable.ok()) {
    ++stats.timeouts;
    if (absl::IsDeadlineExceeded(readable)) budget.Report(Limit::kSlowRequest, source);
    co_return nullptr;
  }
  const ssize_t got = recv(stream->fd(), begin.data(), begin.size(), MSG_PEEK | MSG_DONTWAIT);
  stream->SetReadLowWater(1);
  if (got == 2 && begin[0] == 0x16 && begin[1] == 0x03) {
    async::CancelScope shaking(shard.scope, options.tls_handshake_timeout);
    auto secured = co_await tls->Handshake(shaking, std::move(stream));
    if (secured.ok()) co_return *std::move(secured);
    ++stats.tls_refused;
    if (!shard.scope.cancelled()) budget.Report(Limit::kHandshake, source);
    if (common::log::OncePerMinute("piece TLS refused")) {
      common::log::Warning("a child was refused at the piece port",
                           common::log::kv("error", secured.status()));
    }
    co_return nullptr;
  }
  if (!options.require_tls) co_return stream;
  ++stats.tls_refused;
  budget.Report(Limit::kHandshake, source);
  if (common::log::OncePerMinute("piece plaintext refused")) {
    common::log::Warning(
        "a child asked for pieces in plaintext, but storage.server.requireTLS is set",
        common::log::kv("child", stream->peer().ToString()));
  }
  co_return nullptr;
}

async::Co<void> VortexTcpServer::Impl::RunConnection(Shard& shard,
                                                     std::unique_ptr<async::TcpStream> stream,
                                                     Place place) {
  stream = co_await Secure(shard, std::move(stream), place.source());
  if (stream != nullptr) {
    VortexTcpConnection connection(shard.scope, std::move(stream), options, provider, pool, stats);
    auto position = shard.connections.insert(shard.connections.end(), &connection);
    co_await connection.Run();
    shard.connections.erase(position);
  }
  --stats.connections_open;
}

VortexTcpServer::VortexTcpServer(VortexTcpServerOptions options,
                                 std::vector<async::Executor> executors, PieceProvider& provider,
                                 BlockPool& pool)
    : impl_(std::make_unique<Impl>(std::move(options), provider, pool)) {
  for (async::Executor executor : executors)
    impl_->shards.push_back(std::make_unique<Impl::Shard>(executor));
}

VortexTcpServer::~VortexTcpServer() { Stop(); }

absl::Status VortexTcpServer::Start() {
  Impl& impl = *impl_;
  if (impl.shards.empty()) return absl::InvalidArgumentError("a piece server without executors");
  if (impl.listener != nullptr) return absl::FailedPreconditionError("started already");
  const async::Executor executor = impl.shards.front()->executor;
  absl::StatusOr<std::unique_ptr<async::TcpListener>> listener =
      async::TcpListener::Bind(executor, impl.options.endpoint, impl.options.backlog);
  if (!listener.ok()) return common::status::Annotate(listener.status(), "piece server");
  impl.listener = std::move(*listener);
  impl.listener->OnExhausted([&impl] { impl.budget.ReportExhausted(); });
  impl.accept_scope.emplace(executor);
  impl.accept_group.emplace(executor);
  async::Post(executor,
              [&impl] { impl.accept_group->Spawn(impl.AcceptConnections(*impl.accept_scope)); });
  return absl::OkStatus();
}

net::Endpoint VortexTcpServer::endpoint() const {
  return impl_->listener == nullptr ? impl_->options.endpoint : impl_->listener->endpoint();
}

void VortexTcpServer::Stop(absl::Duration grace) {
  Impl& impl = *impl_;
  if (impl.listener == nullptr) return;
  async::RunToEnd(impl.shards.front()->executor, [&impl]() -> async::Co<void> {
    impl.accept_scope->Cancel(Stopping());
    co_await impl.accept_group->Join();
    impl.listener->Close();
  });
  // All at once, so that every connection has the whole of the grace.
  for (auto& shard : impl.shards) {
    async::Post(shard->executor, [s = shard.get(), grace] {
      s->draining = true;
      if (grace <= absl::ZeroDuration()) s->scope.Cancel(Stopping());
      const std::list<VortexTcpConnection*> connections = s->connections;
      for (VortexTcpConnection* connection : connections) connection->Drain();
    });
  }
  for (auto& shard : impl.shards) {
    async::RunToEnd(shard->executor, [s = shard.get(), grace]() -> async::Co<void> {
      async::Timer cut(s->executor);
      cut.Arm(grace, [s] { s->scope.Cancel(Stopping()); });
      co_await s->group.Join();
      s->scope.Cancel(Stopping());
    });
  }
  // The scopes and the listener have been used on their executors; those are idle now.
  impl.accept_group.reset();
  impl.accept_scope.reset();
  impl.listener.reset();
}

const VortexServerStats& VortexTcpServer::stats() const { return impl_->stats; }

}  // namespace dragonfly::dfdaemon::transfer
