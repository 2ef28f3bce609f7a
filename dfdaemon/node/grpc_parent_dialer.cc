#include "dfdaemon/node/grpc_parent_dialer.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/cancel_scope.h"
#include "common/id/names.h"
#include "common/rpc/extensions.h"
#include "common/rpc/reactor.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

namespace wire = ::dfdaemon::v2;
using common::async::CancelScope;
using common::async::Co;
using common::async::Executor;
using common::net::Endpoint;
using common::net::IpAddress;
using common::status::ErrorReason;
using common::status::MakeStatus;
using UploadStub = wire::DfdaemonUpload::Stub;

// One link, in the hands of its owner and of the two coroutines. Belongs to the executor.
struct GrpcParentDialer::State {
  State(PerCore::Core& core, common::id::TaskKey of, core::ParentInfo at,
        std::vector<core::PieceNumber> wanted, common::trace::SpanContext in,
        std::function<void(ParentNews)> callback)
      : key(std::move(of)),
        parent(std::move(at)),
        interested(std::move(wanted)),
        trace(std::move(in)),
        scope(core.scope),
        on_news(std::move(callback)) {}

  void Tell(ParentNews news) {
    if (!on_news) return;
    // A copy: the callback may destroy the link, and with it the original.
    const auto callback = on_news;
    callback(std::move(news));
  }

  const common::id::TaskKey key;
  const core::ParentInfo parent;
  const std::vector<core::PieceNumber> interested;
  const common::trace::SpanContext trace;
  CancelScope scope;
  std::optional<Endpoint> endpoint;  // of its gRPC port, once admitted
  std::optional<transfer::PieceTarget> target;
  std::function<void(ParentNews)> on_news;  // null: nobody listens any more
};

class GrpcParentDialer::Link : public ParentLink {
 public:
  explicit Link(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Link() override {
    state_->on_news = nullptr;
    state_->scope.Cancel(absl::CancelledError("the download closed the parent"));
  }
  std::optional<transfer::PieceTarget> target() const override { return state_->target; }

 private:
  std::shared_ptr<State> state_;
};

namespace {

DialGuard::Options WithSelf(const GrpcParentDialer::Options& options) {
  DialGuard::Options guard = options.guard;
  if (const auto ip = IpAddress::Parse(options.identity.ip); ip.ok()) {
    guard.own.push_back(Endpoint{*ip, options.identity.upload_port});
  }
  return guard;
}

}  // namespace

GrpcParentDialer::GrpcParentDialer(common::async::Runtime& runtime,
                                   common::rpc::ChannelPool& channels, common::os::Env& env,
                                   const common::net::EgressPolicy& policy, Options options)
    : channels_(channels),
      env_(env),
      options_(std::move(options)),
      guard_(policy, WithSelf(options_)),
      cores_(runtime) {}

GrpcParentDialer::~GrpcParentDialer() { Stop(); }

void GrpcParentDialer::Stop() { cores_.Stop(); }

std::unique_ptr<ParentLink> GrpcParentDialer::Open(Executor executor, common::id::TaskKey key,
                                                   core::ParentInfo parent,
                                                   std::vector<core::PieceNumber> interested,
                                                   common::trace::SpanContext trace,
                                                   std::function<void(ParentNews)> on_news) {
  PerCore::Core& core = cores_.Of(executor);
  auto state = std::make_shared<State>(core, std::move(key), std::move(parent),
                                       std::move(interested), std::move(trace), std::move(on_news));
  core.group.Spawn(FollowPieces(state));
  return std::make_unique<Link>(state);
}

Co<void> GrpcParentDialer::FollowPieces(std::shared_ptr<State> state) {
  absl::Status status;
  const auto ip = IpAddress::Parse(state->parent.ip);
  if (!ip.ok()) {
    status = MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                        absl::StrCat("parent ip \"", state->parent.ip, "\" is no address"));
  } else {
    const Endpoint endpoint{*ip, state->parent.port};
    status = guard_.Admit(endpoint, env_.clock().Now());
    if (status.ok()) state->endpoint = endpoint;
  }
  if (status.ok()) {
    cores_.Of(state->scope.executor()).group.Spawn(FollowLoad(state));
    status = co_await ReadPiecesOfKind(state);
    if (!state->target && (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status))) {
      guard_.Failed(*state->endpoint, env_.clock().Now());
    }
  }
  if (state->scope.cancelled()) co_return;
  core::ParentEnded ended;
  ended.peer_id = state->parent.peer_id;
  ended.status = common::status::Annotate(
      status, absl::StrCat("parent ", state->parent.ip, ":", state->parent.port));
  state->Tell(std::move(ended));
}

Co<absl::Status> GrpcParentDialer::ReadPiecesOfKind(std::shared_ptr<State> state) {
  switch (state->key.kind) {
    case common::id::TaskKind::kPersistent:
      co_return co_await ReadPieces<wire::SyncPersistentPiecesRequest,
                                    wire::SyncPersistentPiecesResponse>(
          state, [](UploadStub& stub, auto* context, const auto* request, auto* reactor) {
            stub.async()->SyncPersistentPieces(context, request, reactor);
          });
    case common::id::TaskKind::kPersistentCache:
      co_return co_await ReadPieces<wire::SyncPersistentCachePiecesRequest,
                                    wire::SyncPersistentCachePiecesResponse>(
          state, [](UploadStub& stub, auto* context, const auto* request, auto* reactor) {
            stub.async()->SyncPersistentCachePieces(context, request, reactor);
          });
    case common::id::TaskKind::kStandard:
      break;
  }
  co_return co_await ReadPieces<wire::SyncPiecesRequest, wire::SyncPiecesResponse>(
      state, [](UploadStub& stub, auto* context, const auto* request, auto* reactor) {
        stub.async()->SyncPieces(context, request, reactor);
      });
}

// OK when the parent has told all that it was asked for.
template <typename Req, typename Resp, typename Method>
Co<absl::Status> GrpcParentDialer::ReadPieces(std::shared_ptr<State> state, Method method) {
  UploadStub stub(channels_.Get(*state->endpoint));
  Req request;
  request.set_host_id(options_.identity.host_id);
  request.set_task_id(state->key.id);
  for (const core::PieceNumber number : state->interested) {
    request.add_interested_piece_numbers(number);
  }
  common::rpc::CallOptions call;
  call.trace = state->trace;
  if (options_.offer_keepalive && options_.offer_tls) {
    call.extensions = {common::rpc::kKeepalive, common::rpc::kPieceTls};
  } else if (options_.offer_keepalive) {
    call.extensions = {common::rpc::kKeepalive};
  } else if (options_.offer_tls) {
    call.extensions = {common::rpc::kPieceTls};
  }
  auto starter = [&](auto* context, auto* reactor) { method(stub, context, &request, reactor); };
  auto stream = common::rpc::ClientReader<Resp>::Start(state->scope.executor(), call, starter);

  common::rpc::ExtensionSet agreed;
  bool reached = false;
  while (true) {
    auto response = co_await stream->Read(state->scope);
    if (absl::IsOutOfRange(response.status())) {
      guard_.Reached(*state->endpoint);
      co_return absl::OkStatus();
    }
    if (!response.ok()) {
      if (absl::IsUnavailable(response.status()) || absl::IsDeadlineExceeded(response.status())) {
        co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                             common::status::MessageOf(response.status()));
      }
      // INTERNAL is how nodes say that they do not have the task (yet).
      const bool lacks_task =
          absl::IsInternal(response.status()) || absl::IsNotFound(response.status());
      co_return MakeStatus(response.status().code(),
                           lacks_task ? ErrorReason::kNotFound : ErrorReason::kParentRefused,
                           common::status::MessageOf(response.status()));
    }
    if (!reached) {
      reached = true;
      guard_.Reached(*state->endpoint);
      auto spoken = co_await stream->Extensions(state->scope);
      if (spoken.ok()) agreed = *std::move(spoken);
    }
    const int32_t port = response->has_tcp_port() ? response->tcp_port() : 0;
    absl::Status usable = SetTarget(*state, response->ip(), port, agreed);
    if (!usable.ok()) co_return usable;
    core::ParentOffers offers;
    offers.peer_id = state->parent.peer_id;
    offers.offers.push_back({response->number(), response->offset(), response->length()});
    state->Tell(std::move(offers));
  }
}

// The address of the pieces comes from the parent: it is judged like any other.
absl::Status GrpcParentDialer::SetTarget(State& state, const std::string& ip, int32_t port,
                                         const common::rpc::ExtensionSet& agreed) {
  const bool tls = agreed.Has(common::rpc::kPieceTls);
  if (options_.require_tls && !tls) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kParentProtocol,
                      "the parent gives pieces in plaintext only, and storage.server.requireTLS "
                      "is set here");
  }
  Endpoint endpoint{state.endpoint->ip, options_.default_piece_port};
  if (!ip.empty()) {
    const auto parsed = IpAddress::Parse(ip);
    if (!parsed.ok()) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kParentProtocol,
                        absl::StrCat("the parent names \"", ip.substr(0, 64),
                                     "\" as the address of its pieces, which is no address"));
    }
    endpoint.ip = *parsed;
  }
  if (port != 0) {
    const auto narrow = common::status::CheckedCast<uint16_t>(port);
    if (!narrow) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kParentProtocol,
                        absl::StrCat("the parent names port ", port, " for its pieces"));
    }
    endpoint.port = *narrow;
  }
  if (state.target && state.target->endpoint == endpoint) return absl::OkStatus();
  absl::Status allowed = guard_.Admit(endpoint, env_.clock().Now());
  if (!allowed.ok()) return allowed;
  transfer::PieceTarget target;
  target.endpoint = endpoint;
  target.rpc_endpoint = state.endpoint;
  target.keepalive = agreed.Has(common::rpc::kKeepalive);
  target.tls = tls;
  state.target = target;
  return absl::OkStatus();
}

// How busy the parent's host is, for as long as it says so. A parent without it is as good.
Co<void> GrpcParentDialer::FollowLoad(std::shared_ptr<State> state) {
  UploadStub stub(channels_.Get(*state->endpoint));
  wire::SyncHostRequest request;
  request.set_host_id(options_.identity.host_id);
  // Belongs to no download; the callee looks nothing up by it.
  request.set_peer_id(common::id::MakePeerId(options_.identity.ip, options_.identity.hostname,
                                             options_.identity.seed, env_));
  common::rpc::CallOptions call;
  call.trace = state->trace;
  auto starter = [&](auto* context, auto* reactor) {
    stub.async()->SyncHost(context, &request, reactor);
  };
  auto stream =
      common::rpc::ClientReader<::common::v2::Host>::Start(state->scope.executor(), call, starter);
  while (true) {
    auto host = co_await stream->Read(state->scope);
    if (!host.ok()) co_return;
    core::ParentLoad load;
    load.host_id = state->parent.host_id;
    load.max_tx_bandwidth = host->network().max_tx_bandwidth();
    load.tx_bandwidth = host->network().tx_bandwidth();
    state->Tell(std::move(load));
  }
}

}  // namespace dragonfly::dfdaemon::node
