#include "manager/service/manager_service.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/rpc/call_gate.h"
#include "common/rpc/peer.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/service/answers.h"
#include "manager/service/identity.h"
#include "manager/service/keep_alives.h"
#include "manager/service/manager_metrics.h"
#include "manager/service/registrations.h"
#include "manager/service/scheduler_lists.h"
#include "proto/manager_v2.grpc.pb.h"
#include "proto/rules/validate.h"

namespace dragonfly::manager::service {
namespace {

namespace pb = ::manager::v2;
namespace log = common::log;
using common::async::CancelScope;
using common::async::Co;
using common::limit::Limit;
using common::rpc::CallInfo;
using common::status::ErrorReason;
using common::status::MakeStatus;
using google::protobuf::Empty;
using Context = ::grpc::CallbackServerContext;
using Unary = ::grpc::ServerUnaryReactor;

CallerIdentity IdentityOf(const Context& context) {
  CallerIdentity identity;
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return identity;
  identity.authenticated = true;
  for (const char* property : {"x509_subject_alternative_name", "peer_dns", "peer_ip"}) {
    for (const ::grpc::string_ref& name : auth->FindPropertyValues(property))
      identity.names.emplace_back(name.data(), name.size());
  }
  return identity;
}

// What goes with a call that has been admitted; ends with its coroutine.
class Ticket {
 public:
  explicit Ticket(std::atomic<size_t>& calls) : calls_(calls) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { calls_.fetch_sub(1); }

 private:
  std::atomic<size_t>& calls_;
};

absl::Status Overloaded(absl::string_view message) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                    common::status::StdView(message));
}

KeepAlives::Options KeepAliveOptions(const ServiceOptions& options) {
  KeepAlives::Options out;
  out.max_streams = options.max_keep_alive_streams;
  out.lookup_timeout = options.call_timeout;
  out.silence = options.keep_alive_silence;
  out.write_interval = options.liveness_write_interval;
  return out;
}

// Leases are looked at with each writing of liveness: a pause of many is one of the process.
liveness::LeaseTable::Options LeasesOf(const ServiceOptions& options) {
  liveness::LeaseTable::Options leases = options.leases;
  leases.standstill = 4 * options.liveness_write_interval;
  return leases;
}

// The message of a list, which lives until it was sent.
::grpc::ByteBuffer Bytes(std::shared_ptr<const SchedulerLists::List> list) {
  auto* held = new std::shared_ptr<const SchedulerLists::List>(std::move(list));
  const std::string& message = (*held)->message;
  const auto drop = [](void* of) {
    delete static_cast<std::shared_ptr<const SchedulerLists::List>*>(of);
  };
  // Nobody writes to it.
  const ::grpc::Slice slice(const_cast<char*>(message.data()), message.size(), drop, held);
  return {&slice, 1};
}

}  // namespace

// ListSchedulers answers with bytes that are there already.
using Methods = pb::Manager::WithRawCallbackMethod_ListSchedulers<pb::Manager::CallbackService>;

struct ManagerService::Impl final : public Methods {
  Impl(const Deps& the_deps, const ServiceOptions& the_options)
      : deps(the_deps),
        options(the_options),
        metrics(deps.registry),
        liveness(LeasesOf(options), deps.clock),
        // A rate of 0 would be no limit.
        gate({options.request_rate_limit, "server.grpc.requestRateLimit",
              common::rpc::kGrpcListener},
             deps.clock, &deps.limits),
        keep_alives({deps.executor, deps.store, deps.pool, deps.clock, deps.cache, liveness,
                     metrics, deps.limits},
                    KeepAliveOptions(options)),
        scope(deps.executor),
        group(deps.executor) {}

  // ---- admission: on gRPC's threads ----

  absl::Status Refuse(Limit limit, const Context& context, absl::Status status) {
    deps.limits.Exceeded(limit, common::rpc::kGrpcListener,
                         common::rpc::SourceOf(context.peer()).ToString());
    return status;
  }

  absl::Status AdmitRate(const Context& context) {
    if (ending.load()) {
      return Refuse(Limit::kShutdown, context,
                    MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                               "the manager is shutting down; go on with another one"));
    }
    return gate.Admit(context.peer());
  }

  // Null: refused, and `status` says why.
  std::shared_ptr<Ticket> Admit(const Context& context, absl::Status& status) {
    status = AdmitRate(context);
    if (!status.ok()) return nullptr;
    if (calls.fetch_add(1) >= options.max_calls) {
      calls.fetch_sub(1);
      status = Refuse(Limit::kCalls, context,
                      Overloaded(absl::StrCat("the manager has ", options.max_calls,
                                              " calls to answer already; try again later")));
      return nullptr;
    }
    return std::make_shared<Ticket>(calls);
  }

  // A caller with a certificate speaks for those whom it names.
  template <typename Req>
  absl::Status Identified(const Context& context, const Req& request) {
    if (!options.verify_announced_address) return absl::OkStatus();
    absl::Status allowed = MaySpeakFor(IdentityOf(context), request.hostname(), request.ip());
    if (allowed.ok()) return allowed;
    return Refuse(Limit::kIdentity, context, std::move(allowed));
  }

  // ---- unary calls: validated, admitted, then `body(scope, request)` on the executor ----

  template <typename Req, typename Resp, typename Body>
  Co<absl::StatusOr<Resp>> RunBody(Call call, CancelScope& parent, CallInfo info, Req request,
                                   Body body) {
    common::trace::Span span =
        deps.tracer.Start(FullNameOf(call), common::trace::SpanKind::kServer, info.trace);
    CancelScope own(parent, options.call_timeout);
    absl::StatusOr<Resp> answer = co_await body(own, std::move(request));
    metrics.Handled(call, answer.status());
    span.SetStatus(answer.status());
    co_return answer;
  }

  template <typename Req, typename Resp, typename Body>
  Unary* Serve(Call call, Context* context, const Req* request, Resp* response,
               absl::Status allowed, Body body) {
    metrics.Started(call);
    std::shared_ptr<Ticket> ticket;
    if (allowed.ok()) ticket = Admit(*context, allowed);
    if (ticket == nullptr) {
      metrics.Handled(call, allowed);
      return common::rpc::ServeUnary<Req, Resp>(
          context, request, response,
          [&](const CallInfo&, const Req&, const common::rpc::UnaryReply<Resp>& reply) {
            reply.Send(allowed);
          });
    }
    // What is not valid ends before its body, which counts all others.
    if (const absl::Status valid = proto::rules::Validate(*request); !valid.ok())
      metrics.Handled(call, valid);
    const common::rpc::ServiceLoop loop{deps.executor, &group, &scope};
    return common::rpc::ServeUnaryOn<Req, Resp>(
        loop, context, request, response,
        [this, call, ticket, body](CancelScope& its, CallInfo info, Req valid) {
          return RunBody<Req, Resp, Body>(call, its, std::move(info), std::move(valid), body);
        });
  }

  // Of the snapshot at hand; what is not in it may have been written a moment ago.
  template <typename Resp, typename Make>
  Co<absl::StatusOr<Resp>> Answer(CancelScope& its, bool look_again, Make make) {
    auto snapshot = co_await deps.cache.Get(its);
    if (!snapshot.ok()) co_return snapshot.status();
    absl::StatusOr<Resp> answer = make(Answers(**snapshot, liveness));
    if (!look_again || !absl::IsNotFound(answer.status())) co_return answer;
    snapshot = co_await deps.cache.Refresh(its);
    if (!snapshot.ok()) co_return snapshot.status();
    answer = make(Answers(**snapshot, liveness));
    co_return answer;
  }

  template <typename Resp, typename Req>
  Co<absl::StatusOr<Resp>> Get(CancelScope& its, Req request) {
    auto make = [request = std::move(request)](const Answers& answers) {
      return answers.Get(request);
    };
    return Answer<Resp>(its, true, std::move(make));
  }
  template <typename Resp, typename Req>
  Co<absl::StatusOr<Resp>> List(CancelScope& its, bool look_again, Req request) {
    auto make = [request = std::move(request)](const Answers& answers) {
      return answers.List(request);
    };
    return Answer<Resp>(its, look_again, std::move(make));
  }

  // What was written is in the snapshot when the caller is told: who asks next, asks that one. The
  // write is waited for although the caller may have gone away.
  template <typename Resp, typename Row, typename Work>
  Co<absl::StatusOr<Resp>> WriteRow(Work work) {
    CancelScope own(scope, options.call_timeout);
    absl::StatusOr<Row> row = co_await common::async::RunBlocking(deps.pool, own, std::move(work));
    deps.cache.Invalidate();
    if (!row.ok()) co_return row.status();
    (void)co_await deps.cache.Latest(own);
    co_return MessageOf(*row, liveness.IsAlive(*row, deps.clock.WallNow()));
  }

  Co<absl::StatusOr<pb::Scheduler>> RegisterScheduler(pb::UpdateSchedulerRequest request) {
    auto work = [&store = deps.store, &clock = deps.clock, request = std::move(request)] {
      return Register(store, request, clock.WallNow());
    };
    return WriteRow<pb::Scheduler, store::models::Scheduler>(std::move(work));
  }
  Co<absl::StatusOr<pb::SeedPeer>> RegisterSeedPeer(pb::UpdateSeedPeerRequest request) {
    auto work = [&store = deps.store, request = std::move(request)] {
      return Register(store, request);
    };
    return WriteRow<pb::SeedPeer, store::models::SeedPeer>(std::move(work));
  }
  Co<absl::StatusOr<Empty>> RemoveSeedPeer(pb::DeleteSeedPeerRequest request) {
    log::Info("seed peer is deleted", log::kv("host", request.hostname()),
              log::kv("ip", request.ip()), log::kv("cluster", request.seed_peer_cluster_id()));
    auto work = [&store = deps.store, request = std::move(request)] {
      return Delete(store, request);
    };
    CancelScope own(scope, options.call_timeout);
    const absl::Status done = co_await common::async::RunBlocking(deps.pool, own, std::move(work));
    deps.cache.Invalidate();
    if (!done.ok()) co_return done;
    (void)co_await deps.cache.Latest(own);
    co_return Empty();
  }

  using SchedulerList = std::shared_ptr<const SchedulerLists::List>;

  Co<absl::StatusOr<SchedulerList>> FindSchedulers(CancelScope& its,
                                                   const pb::ListSchedulersRequest& request) {
    auto snapshot = co_await deps.cache.Get(its);
    if (!snapshot.ok()) co_return snapshot.status();
    absl::StatusOr<SchedulerList> found = scheduler_lists.Get(*snapshot, request);
    if (!absl::IsNotFound(found.status())) co_return found;
    snapshot = co_await deps.cache.Refresh(its);
    if (!snapshot.ok()) co_return snapshot.status();
    found = scheduler_lists.Get(*snapshot, request);
    co_return found;
  }

  Co<absl::StatusOr<::grpc::ByteBuffer>> Search(CancelScope& its,
                                                pb::ListSchedulersRequest request) {
    const bool searches = request.scheduler_cluster_id() == 0;
    if (searches) metrics.Searched(request.version(), request.commit());
    absl::StatusOr<SchedulerList> found = co_await FindSchedulers(its, request);
    if (searches && (!found.ok() || (*found)->schedulers == 0))
      metrics.SearchFailed(request.version(), request.commit());
    if (!found.ok()) co_return found.status();
    co_return Bytes(*std::move(found));
  }

  // ---- the service ----

  Unary* GetSeedPeer(Context* context, const pb::GetSeedPeerRequest* request,
                     pb::SeedPeer* response) override {
    return Serve(Call::kGetSeedPeer, context, request, response, absl::OkStatus(),
                 [this](CancelScope& its, pb::GetSeedPeerRequest valid) {
                   return Get<pb::SeedPeer>(its, std::move(valid));
                 });
  }
  Unary* ListSeedPeers(Context* context, const pb::ListSeedPeersRequest* request,
                       pb::ListSeedPeersResponse* response) override {
    return Serve(Call::kListSeedPeers, context, request, response, absl::OkStatus(),
                 [this](CancelScope& its, pb::ListSeedPeersRequest valid) {
                   return List<pb::ListSeedPeersResponse>(its, true, std::move(valid));
                 });
  }
  Unary* UpdateSeedPeer(Context* context, const pb::UpdateSeedPeerRequest* request,
                        pb::SeedPeer* response) override {
    return Serve(Call::kUpdateSeedPeer, context, request, response, Identified(*context, *request),
                 [this](CancelScope&, pb::UpdateSeedPeerRequest valid) {
                   return RegisterSeedPeer(std::move(valid));
                 });
  }
  Unary* DeleteSeedPeer(Context* context, const pb::DeleteSeedPeerRequest* request,
                        Empty* response) override {
    return Serve(Call::kDeleteSeedPeer, context, request, response, Identified(*context, *request),
                 [this](CancelScope&, pb::DeleteSeedPeerRequest valid) {
                   return RemoveSeedPeer(std::move(valid));
                 });
  }
  Unary* GetScheduler(Context* context, const pb::GetSchedulerRequest* request,
                      pb::Scheduler* response) override {
    return Serve(Call::kGetScheduler, context, request, response, absl::OkStatus(),
                 [this](CancelScope& its, pb::GetSchedulerRequest valid) {
                   return Get<pb::Scheduler>(its, std::move(valid));
                 });
  }
  Unary* UpdateScheduler(Context* context, const pb::UpdateSchedulerRequest* request,
                         pb::Scheduler* response) override {
    return Serve(Call::kUpdateScheduler, context, request, response, Identified(*context, *request),
                 [this](CancelScope&, pb::UpdateSchedulerRequest valid) {
                   return RegisterScheduler(std::move(valid));
                 });
  }
  Unary* ListSchedulers(Context* context, const ::grpc::ByteBuffer* request,
                        ::grpc::ByteBuffer* response) override {
    pb::ListSchedulersRequest parsed;
    ::grpc::ByteBuffer bytes = *request;
    const ::grpc::Status read =
        ::grpc::SerializationTraits<pb::ListSchedulersRequest>::Deserialize(&bytes, &parsed);
    if (!read.ok()) {
      Unary* reactor = context->DefaultReactor();
      reactor->Finish(read);
      return reactor;
    }
    return Serve(Call::kListSchedulers, context, &parsed, response, absl::OkStatus(),
                 [this](CancelScope& its, pb::ListSchedulersRequest valid) {
                   return Search(its, std::move(valid));
                 });
  }
  Unary* ListApplications(Context* context, const pb::ListApplicationsRequest* request,
                          pb::ListApplicationsResponse* response) override {
    return Serve(Call::kListApplications, context, request, response, absl::OkStatus(),
                 [this](CancelScope& its, pb::ListApplicationsRequest valid) {
                   return List<pb::ListApplicationsResponse>(its, false, std::move(valid));
                 });
  }
  ::grpc::ServerReadReactor<pb::KeepAliveRequest>* KeepAlive(Context* context,
                                                             Empty* /*response*/) override {
    metrics.Started(Call::kKeepAlive);
    common::rpc::StreamOptions stream_options;
    stream_options.max_unconsumed = 4;
    CallerIdentity identity;
    if (options.verify_announced_address) identity = IdentityOf(*context);
    return common::rpc::ServeReader<pb::KeepAliveRequest, Empty>(
        context, stream_options,
        [this, context, &identity](
            std::shared_ptr<KeepAlives::Stream> stream) -> std::shared_ptr<KeepAlives::Handler> {
          const absl::Status admitted = AdmitRate(*context);
          if (admitted.ok()) return keep_alives.Open(std::move(stream), std::move(identity));
          stream->Finish(admitted);
          return nullptr;
        });
  }

  Co<void> End() {
    scope.Cancel(MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                            "the manager is shutting down"));
    co_await group.Join();
  }

  const Deps deps;
  const ServiceOptions options;
  ManagerMetrics metrics;
  cache::MemberLiveness liveness;
  SchedulerLists scheduler_lists{liveness, deps.clock};
  common::rpc::CallGate gate;
  std::atomic<size_t> calls{0};
  std::atomic<bool> ending{false};
  bool stopped = false;
  KeepAlives keep_alives;
  // Of the unary calls; both belong to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
};

ManagerService::ManagerService(const Deps& deps, const ServiceOptions& options)
    : impl_(std::make_unique<Impl>(deps, options)) {
  using liveness::MemberKind;
  Impl* impl = impl_.get();
  impl->metrics.Watch({[impl] { return impl->liveness.Active(MemberKind::kScheduler); },
                       [impl] { return impl->liveness.Active(MemberKind::kSeedPeer); },
                       [impl] { return impl->keep_alives.open(); }});
}

ManagerService::~ManagerService() { Stop(absl::ZeroDuration()); }

::grpc::Service* ManagerService::grpc_service() { return impl_.get(); }

const cache::MemberLiveness& ManagerService::liveness() const { return impl_->liveness; }

void ManagerService::EndStreams(absl::Duration grace) {
  impl_->ending.store(true);
  impl_->keep_alives.EndAll(grace);
}

void ManagerService::Stop(absl::Duration grace) {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->ending.store(true);
  common::async::RunToEnd(impl_->deps.executor, [impl = impl_.get()] { return impl->End(); });
  impl_->keep_alives.Stop(grace);
}

}  // namespace dragonfly::manager::service
