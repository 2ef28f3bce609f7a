#include "scheduler/service/scheduler_service.h"

#include <string>
#include <utility>

#include "common/log/log.h"
#include "common/rpc/extensions.h"
#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "proto/scheduler_v2.grpc.pb.h"
#include "scheduler/service/convert.h"

namespace dragonfly::scheduler::service {
namespace {

namespace pb = ::scheduler::v2;
namespace pbc = ::common::v2;
namespace log = common::log;
using common::rpc::CallInfo;
using common::rpc::UnaryReply;
using common::status::ErrorReason;
using common::status::MakeStatus;
using google::protobuf::Empty;
using Context = ::grpc::CallbackServerContext;
using Unary = ::grpc::ServerUnaryReactor;

const common::rpc::ExtensionSet& Spoken() {
  static const common::rpc::ExtensionSet kSpoken = {common::rpc::kLazyStat, common::rpc::kSlice,
                                                    common::rpc::kStripes};
  return kSpoken;
}

absl::Status Overloaded(std::string_view message) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded, message);
}

absl::Status HostNotFound(const std::string& id) {
  return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kHostUnknown,
                    "host " + id + " not found");
}

// The host that a request names; empty: none.
template <typename Req>
std::string_view HostIdOf(const Req& request) {
  if constexpr (requires { request.host_id(); }) {
    return request.host_id();
  } else if constexpr (requires { request.host().id(); }) {
    return request.host().id();
  } else {
    return std::string_view();
  }
}

// What is served of the service; the rest answers UNIMPLEMENTED.
using Served = common::rpc::OnlyMarked<pb::Scheduler::WithCallbackMethod_AnnouncePeer<
    pb::Scheduler::WithCallbackMethod_StatPeer<pb::Scheduler::WithCallbackMethod_DeletePeer<
        pb::Scheduler::WithCallbackMethod_StatTask<pb::Scheduler::WithCallbackMethod_DeleteTask<
            pb::Scheduler::WithCallbackMethod_AnnounceHost<
                pb::Scheduler::WithCallbackMethod_ListHosts<
                    pb::Scheduler::WithCallbackMethod_DeleteHost<
                        pb::Scheduler::WithCallbackMethod_PreheatImage<
                            pb::Scheduler::WithCallbackMethod_StatImage<
                                pb::Scheduler::WithCallbackMethod_PreheatFile<
                                    pb::Scheduler::WithCallbackMethod_StatFile<
                                        common::rpc::AllMethods<pb::Scheduler>>>>>>>>>>>>>>;

}  // namespace

struct SchedulerService::Impl final : public Served {
  explicit Impl(Deps the_deps)
      : deps(std::move(the_deps)),
        admission(deps.admission, *deps.hosts, *deps.clock, deps.limits) {}

  // Validates, counts, limits the rate and calls `handler(request, reply)`.
  template <typename Req, typename Resp, typename Handler>
  Unary* Serve(Call call, Context* context, const Req* request, Resp* response,
               const Handler& handler) {
    deps.metrics->Count(call);
    return common::rpc::ServeUnary<Req, Resp>(
        context, request, response,
        [&](const CallInfo& info, const Req& valid, const UnaryReply<Resp>& reply) {
          absl::Status admitted = admission.AdmitCall(HostIdOf(valid), info.peer);
          if (admitted.ok()) return handler(valid, reply);
          deps.metrics->CountFailure(call);
          reply.Send(std::move(admitted));
        });
  }

  // Asks the task's shard; `make(request id)` is the event, `answer` gets what the shard said.
  template <typename Make>
  void Ask(const std::string& task_id, DecisionRouter::Answer answer, const Make& make) {
    const core::RequestId id = deps.router->AddRequest(std::move(answer));
    if (deps.shards->Post(deps.shards->ShardOf(task_id), core::Event(make(id)))) return;
    deps.router->TakeRequest(id)(
        Overloaded("the scheduler has more messages than it can work off; try again later"),
        nullptr, nullptr);
  }

  DecisionRouter::Answer DoneAnswer(Call call, UnaryReply<Empty> reply) {
    return [this, call, reply](const absl::Status& status, const core::TaskView*,
                               const core::PeerView*) {
      if (!status.ok()) deps.metrics->CountFailure(call);
      reply.Send(status.ok() ? absl::StatusOr<Empty>(Empty()) : absl::StatusOr<Empty>(status));
    };
  }

  static core::PeerRef RefOf(const std::string& task_id, const std::string& peer_id) {
    core::PeerRef ref;
    ref.task_id = task_id;
    ref.peer_id = peer_id;
    return ref;
  }

  // ---- standard tasks ----

  ::grpc::ServerBidiReactor<pb::AnnouncePeerRequest, pb::AnnouncePeerResponse>* AnnouncePeer(
      Context* context) override {
    common::rpc::StreamOptions options;
    options.extensions = Spoken();
    options.max_outgoing = 16;
    options.max_unconsumed = 32;
    using Stream = common::rpc::ServerStream<pb::AnnouncePeerResponse>;
    using Handler = common::rpc::StreamHandler<pb::AnnouncePeerRequest>;
    return common::rpc::ServeBidi<pb::AnnouncePeerRequest, pb::AnnouncePeerResponse>(
        context, options, [this](const std::shared_ptr<Stream>& stream) {
          AnnounceStream::Deps stream_deps;
          stream_deps.shards = deps.shards;
          stream_deps.hosts = deps.hosts;
          stream_deps.metrics = deps.metrics;
          stream_deps.tracer = deps.tracer;
          stream_deps.admission = &admission;
          stream_deps.clock = deps.clock;
          stream_deps.on_done = [router = deps.router](core::StreamId id) {
            router->RemoveStream(id);
          };
          auto handler = std::make_shared<AnnounceStream>(deps.router->NextStream(), stream,
                                                          std::move(stream_deps));
          deps.router->AddStream(handler);
          return std::shared_ptr<Handler>(handler);
        });
  }

  Unary* StatPeer(Context* context, const pb::StatPeerRequest* request,
                  pbc::Peer* response) override {
    return Serve(Call::kStatPeer, context, request, response,
                 [this](const pb::StatPeerRequest& valid, const UnaryReply<pbc::Peer>& reply) {
                   auto answer = [this, reply](const absl::Status& status,
                                               const core::TaskView* task,
                                               const core::PeerView* peer) {
                     if (!status.ok()) {
                       deps.metrics->CountFailure(Call::kStatPeer);
                       return reply.Send(status);
                     }
                     reply.Send(PeerMessageOf(*task, *peer));
                   };
                   Ask(valid.task_id(), answer, [&](core::RequestId id) {
                     return core::StatPeer{id, RefOf(valid.task_id(), valid.peer_id())};
                   });
                 });
  }

  Unary* DeletePeer(Context* context, const pb::DeletePeerRequest* request,
                    Empty* response) override {
    return Serve(Call::kDeletePeer, context, request, response,
                 [this](const pb::DeletePeerRequest& valid, const UnaryReply<Empty>& reply) {
                   Ask(valid.task_id(), DoneAnswer(Call::kDeletePeer, reply),
                       [&](core::RequestId id) {
                         return core::DeletePeer{id, RefOf(valid.task_id(), valid.peer_id())};
                       });
                 });
  }

  Unary* StatTask(Context* context, const pb::StatTaskRequest* request,
                  pbc::Task* response) override {
    return Serve(Call::kStatTask, context, request, response,
                 [this](const pb::StatTaskRequest& valid, const UnaryReply<pbc::Task>& reply) {
                   auto answer = [this, reply](const absl::Status& status,
                                               const core::TaskView* task, const core::PeerView*) {
                     if (!status.ok()) {
                       deps.metrics->CountFailure(Call::kStatTask);
                       return reply.Send(status);
                     }
                     reply.Send(TaskMessageOf(*task));
                   };
                   Ask(valid.task_id(), answer, [&](core::RequestId id) {
                     return core::StatTask{id, valid.task_id()};
                   });
                 });
  }

  Unary* DeleteTask(Context* context, const pb::DeleteTaskRequest* request,
                    Empty* response) override {
    return Serve(Call::kDeleteTask, context, request, response,
                 [this](const pb::DeleteTaskRequest& valid, const UnaryReply<Empty>& reply) {
                   if (deps.hosts->Find(valid.host_id()) == nullptr) {
                     deps.metrics->CountFailure(Call::kDeleteTask);
                     return reply.Send(HostNotFound(valid.host_id()));
                   }
                   Ask(valid.task_id(), DoneAnswer(Call::kDeleteTask, reply),
                       [&](core::RequestId id) {
                         return core::DeleteTask{id, valid.task_id(), valid.host_id()};
                       });
                 });
  }

  // ---- hosts ----

  Unary* AnnounceHost(Context* context, const pb::AnnounceHostRequest* request,
                      Empty* response) override {
    // So that a daemon knows what we speak before its first registration.
    common::rpc::OpenCall(*context, Spoken());
    return Serve(Call::kAnnounceHost, context, request, response,
                 [this](const pb::AnnounceHostRequest& valid, const UnaryReply<Empty>& reply) {
                   core::HostFacts facts = FactsOf(valid);
                   const bool seed = facts.is_seed();
                   absl::StatusOr<core::HostTable::Announced> announced =
                       deps.hosts->Announce(std::move(facts), deps.clock->Now());
                   if (!announced.ok()) {
                     deps.metrics->CountFailure(Call::kAnnounceHost);
                     return reply.Send(announced.status());
                   }
                   if (announced->created) {
                     log::Info("host announced itself", log::kv("host", valid.host().id()),
                               log::kv("seed", seed));
                   }
                   if (announced->uplink_changed)
                     deps.shards->PostToAll(core::UplinkChanged{announced->host});
                   if (!announced->placement_changed) return reply.Send(Empty());
                   // A register that follows this answer finds the seed on the ring.
                   deps.on_seeds_changed([reply] { reply.Send(Empty()); });
                 });
  }

  Unary* ListHosts(Context* context, const pb::ListHostsRequest* request,
                   pb::ListHostsResponse* response) override {
    return Serve(
        Call::kListHosts, context, request, response,
        [this](const pb::ListHostsRequest& valid, const UnaryReply<pb::ListHostsResponse>& reply) {
          pb::ListHostsResponse answer;
          std::optional<core::HostType> type;
          if (valid.has_type()) type = static_cast<core::HostType>(valid.type());
          for (const std::shared_ptr<core::Host>& host : deps.hosts->List(type)) {
            *answer.add_hosts() = HostMessageOf(*host->facts());
          }
          reply.Send(std::move(answer));
        });
  }

  Unary* DeleteHost(Context* context, const pb::DeleteHostRequest* request,
                    Empty* response) override {
    return Serve(Call::kDeleteHost, context, request, response,
                 [this](const pb::DeleteHostRequest& valid, const UnaryReply<Empty>& reply) {
                   std::shared_ptr<core::Host> host = deps.hosts->Remove(valid.host_id());
                   if (host == nullptr) {
                     deps.metrics->CountFailure(Call::kDeleteHost);
                     return reply.Send(HostNotFound(valid.host_id()));
                   }
                   Forget(std::move(host));
                   reply.Send(Empty());
                 });
  }

  // ---- jobs ----

  // `method` is called with the door and what a call of it takes. No pointer to a member: under
  // UBSan g++ 12 warns of what it is called on.
  template <typename Req, typename Resp, typename Method>
  Unary* ServeJob(Call call, Context* context, const Req* request, Resp* response,
                  const Method& method) {
    if (deps.jobs == nullptr) {
      return Serve(
          call, context, request, response,
          [this, call](const Req&, const UnaryReply<Resp>& reply) {
            deps.metrics->CountFailure(call);
            reply.Send(MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kForbidden,
                                  "jobs are switched off here; job.enable changes that"));
          });
    }
    deps.metrics->Count(call);
    const common::rpc::ServiceLoop loop{deps.jobs->executor(), &deps.jobs->group(),
                                        &deps.jobs->scope()};
    return common::rpc::ServeUnaryOn<Req, Resp>(
        loop, context, request, response,
        [this, call, method](common::async::CancelScope& scope, CallInfo info, Req valid) {
          absl::Status admitted = admission.AdmitCall(std::string_view(), info.peer);
          if (!admitted.ok()) return Refused<Resp>(call, std::move(admitted));
          return Counted<Resp>(call, method(*deps.jobs, scope, std::move(info), std::move(valid)));
        });
  }

  template <typename Resp>
  JobDoor::Answer<Resp> Refused(Call call, absl::Status status) {
    deps.metrics->CountFailure(call);
    co_return status;
  }
  template <typename Resp>
  JobDoor::Answer<Resp> Counted(Call call, JobDoor::Answer<Resp> run) {
    absl::StatusOr<Resp> answer = co_await std::move(run);
    if (!answer.ok()) deps.metrics->CountFailure(call);
    co_return answer;
  }

  Unary* PreheatImage(Context* context, const pb::PreheatImageRequest* request,
                      Empty* response) override {
    return ServeJob(Call::kPreheatImage, context, request, response,
                    [](JobDoor& door, common::async::CancelScope& scope, CallInfo info,
                       pb::PreheatImageRequest valid) {
                      return door.PreheatImage(scope, std::move(info), std::move(valid));
                    });
  }
  Unary* StatImage(Context* context, const pb::StatImageRequest* request,
                   pb::StatImageResponse* response) override {
    return ServeJob(Call::kStatImage, context, request, response,
                    [](JobDoor& door, common::async::CancelScope& scope, CallInfo info,
                       pb::StatImageRequest valid) {
                      return door.StatImage(scope, std::move(info), std::move(valid));
                    });
  }
  Unary* PreheatFile(Context* context, const pb::PreheatFileRequest* request,
                     Empty* response) override {
    return ServeJob(Call::kPreheatFile, context, request, response,
                    [](JobDoor& door, common::async::CancelScope& scope, CallInfo info,
                       pb::PreheatFileRequest valid) {
                      return door.PreheatFile(scope, std::move(info), std::move(valid));
                    });
  }
  Unary* StatFile(Context* context, const pb::StatFileRequest* request,
                  pb::StatFileResponse* response) override {
    return ServeJob(Call::kStatFile, context, request, response,
                    [](JobDoor& door, common::async::CancelScope& scope, CallInfo info,
                       pb::StatFileRequest valid) {
                      return door.StatFile(scope, std::move(info), std::move(valid));
                    });
  }

  void Forget(std::shared_ptr<core::Host> host) {
    log::Info("host left", log::kv("host", host->id()));
    const bool seed = host->facts()->is_seed();
    deps.shards->PostToAll(core::HostLeft{std::move(host)});
    if (seed) deps.on_seeds_changed(nullptr);
  }

  const Deps deps;
  Admission admission;
};

SchedulerService::SchedulerService(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}

SchedulerService::~SchedulerService() = default;

::grpc::Service* SchedulerService::grpc_service() { return impl_.get(); }

void SchedulerService::ExpireHosts() {
  impl_->deps.router->EndSilent(impl_->deps.stream_silence);
  for (std::shared_ptr<core::Host>& host :
       impl_->deps.hosts->ExpireIdle(impl_->deps.clock->Now())) {
    impl_->Forget(std::move(host));
  }
}

}  // namespace dragonfly::scheduler::service
