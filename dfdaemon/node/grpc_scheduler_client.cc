#include "dfdaemon/node/grpc_scheduler_client.h"

#include <grpcpp/channel.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/rpc/extensions.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "dfdaemon/node/host_message.h"
#include "dfdaemon/node/scheduler_messages.h"
#include "proto/common_v2.pb.h"
#include "proto/scheduler_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

namespace log = common::log;
using common::async::CancelScope;
using common::async::Co;
using common::async::Executor;
using common::net::Endpoint;
using common::status::ErrorReason;
using common::status::MakeStatus;
using log::kv;
using Request = SchedulerMessages::Request;
using Response = SchedulerMessages::Response;
using Stream = common::rpc::ClientBidi<Request, Response>;
using SchedulerStub = ::scheduler::v2::Scheduler::Stub;

namespace {

common::rpc::ExtensionSet Spoken() {
  return {common::rpc::kLazyStat, common::rpc::kSlice, common::rpc::kStripes};
}

absl::Status OtherKind(const common::id::TaskKey& key) {
  return MakeStatus(absl::StatusCode::kUnimplemented, ErrorReason::kSchedulerRefused,
                    std::string(common::id::TaskKindName(key.kind)) +
                        " tasks are not registered with schedulers yet");
}

}  // namespace

// One stream, in the hands of a session and of the coroutine that runs it. Belongs to the executor.
struct GrpcSchedulerClient::Conversation {
  Conversation(PerCore::Core& core, common::id::TaskKey of, common::trace::SpanContext in,
               uint32_t number, std::function<void(SchedulerAnswer)> callback)
      : key(std::move(of)),
        trace(std::move(in)),
        attempt(number),
        scope(core.scope),
        drain(core.executor),
        on_answer(std::move(callback)) {}

  // Queued until there is a stream.
  void Send(Request request) {
    if (ending) return;
    if (stream == nullptr) {
      waiting.push_back(std::move(request));
      return;
    }
    const absl::Status sent = stream->TryWrite(std::move(request));
    // A scheduler that reads nothing is as good as gone. (A stream that has ended says so itself.)
    if (absl::IsResourceExhausted(sent)) scope.Cancel(sent);
  }

  // Nothing more will be said.
  void HalfClose(absl::Duration patience) {
    if (ending) return;
    ending = true;
    if (stream != nullptr) stream->HalfClose();
    drain.Arm(patience, [this] {
      scope.Cancel(absl::DeadlineExceededError("the scheduler did not end the stream"));
    });
  }

  void Deliver(SchedulerAnswer answer) {
    if (!on_answer || ending) return;
    // A copy: the callback may destroy the session, and with it the original.
    const auto callback = on_answer;
    if (std::holds_alternative<core::RegistrationEnded>(answer)) on_answer = nullptr;
    callback(std::move(answer));
  }

  // All schedulers are gone, and may be back within this time.
  absl::Duration recovery;
  const common::id::TaskKey key;
  const common::trace::SpanContext trace;
  const uint32_t attempt;
  std::string scheduler = "none";
  std::optional<Endpoint> endpoint;
  std::optional<SchedulerMessages> messages;
  CancelScope scope;
  common::async::Timer drain;
  std::unique_ptr<Stream> stream;  // the coroutine's
  std::vector<Request> waiting;
  std::function<void(SchedulerAnswer)> on_answer;  // null: nobody listens any more
  absl::Status failed;                             // before there could be a stream
  bool ours = false;                               // the scheduler speaks our extensions
  bool striped = false;                            // the order of its parents means stripes
  bool answered = false;
  bool ending = false;  // the terminal message is queued
};

class GrpcSchedulerClient::Session : public SchedulerSession {
 public:
  Session(std::shared_ptr<Conversation> conversation, absl::Duration drain_timeout)
      : it_(std::move(conversation)), drain_timeout_(drain_timeout) {}
  ~Session() override {
    it_->on_answer = nullptr;
    if (!it_->ending) it_->scope.Cancel(absl::CancelledError("the download gave up the stream"));
  }

  void Started() override {
    if (it_->messages) it_->Send(it_->messages->Started());
  }
  void SourceStarted(std::string description) override {
    if (it_->messages) it_->Send(it_->messages->SourceStarted(std::move(description)));
  }
  void GeometryLearned(core::Geometry geometry) override {
    if (it_->messages && it_->ours) it_->Send(it_->messages->Refresh(geometry));
  }
  void PieceFinished(const core::PieceInfo& piece) override {
    if (it_->messages) it_->Send(it_->messages->PieceFinished(piece));
  }
  void PieceFailed(std::string parent_id, std::optional<core::PieceNumber> number) override {
    if (!it_->messages) return;
    auto request = it_->messages->PieceFailed(parent_id, number);
    if (request) it_->Send(*std::move(request));
  }
  void Reschedule(std::vector<std::string> bad_parents, std::string description) override {
    if (it_->messages) {
      it_->Send(it_->messages->Reschedule(bad_parents, std::move(description)));
    }
  }
  void End(bool from_source, absl::Status status) override {
    if (!it_->messages) return;
    for (Request& request : it_->messages->End(from_source, status)) it_->Send(std::move(request));
    it_->HalfClose(drain_timeout_);
  }
  const std::string& scheduler() const override { return it_->scheduler; }

 private:
  std::shared_ptr<Conversation> it_;
  absl::Duration drain_timeout_;
};

namespace {

Announcer::Options AnnouncerOptions(const GrpcSchedulerClient::Options& options) {
  Announcer::Options announcer;
  announcer.interval = options.announce_interval;
  announcer.extensions = Spoken();
  return announcer;
}

// A scheduler that knows us may send us to an origin at once: it has to be on the ring by then.
Announcer::Options WithRefresh(Announcer::Options announcer, SchedulerSelector& selector) {
  announcer.on_announced = [&selector] { selector.RefreshSoon(); };
  return announcer;
}

}  // namespace

GrpcSchedulerClient::GrpcSchedulerClient(common::async::Runtime& runtime,
                                         common::async::BlockingPool& pool,
                                         common::rpc::ChannelPool& channels, common::os::Env& env,
                                         SystemInfo& info, SchedulerDirectory& directory,
                                         Options options)
    : runtime_(runtime),
      channels_(channels),
      options_(std::move(options)),
      cores_(runtime),
      selector_(runtime.executor(0), channels, pool, env, directory, options_.selector),
      announcer_(
          runtime.executor(0), channels, env,
          [this, &info](::common::v2::Host& host) {
            FillHost(options_.identity, info.platform(), info.Sample(), host);
          },
          WithRefresh(AnnouncerOptions(options_), selector_)) {}

GrpcSchedulerClient::~GrpcSchedulerClient() { Stop(); }

void GrpcSchedulerClient::Start() {
  PerCore::Core& core = cores_.Of(runtime_.executor(0));
  common::async::Post(core.executor, [this, &core] {
    selector_.OnRefreshed(
        [this, &core] { announcer_.SetSchedulers(core.scope, core.group, selector_.known()); });
    core.group.Spawn(selector_.Run(core.scope));
  });
}

void GrpcSchedulerClient::Stop() {
  if (stopped_) return;
  stopped_ = true;
  common::async::RunToEnd(runtime_.executor(0), [this] { return announcer_.Leave(); });
  cores_.Stop();
}

bool GrpcSchedulerClient::announced() const {
  for (const Endpoint& each : selector_.known()) {
    if (announcer_.Announced(each)) return true;
  }
  return false;
}

std::unique_ptr<SchedulerSession> GrpcSchedulerClient::Open(
    Executor executor, Registration registration, uint32_t attempt,
    std::function<void(SchedulerAnswer)> on_answer) {
  PerCore::Core& core = cores_.Of(executor);
  auto conversation = std::make_shared<Conversation>(core, registration.key, registration.trace,
                                                     attempt, std::move(on_answer));
  conversation->endpoint = selector_.Pick(registration.key.id, attempt);
  if (!conversation->endpoint) {
    conversation->recovery = selector_.RecoveryLeft();
    if (conversation->recovery > absl::ZeroDuration())
      conversation->endpoint = selector_.Pick(registration.key.id, 0);
  }
  if (registration.key.kind != common::id::TaskKind::kStandard) {
    conversation->failed = OtherKind(registration.key);
  } else if (!conversation->endpoint) {
    conversation->failed = NoScheduler();
  } else {
    conversation->scheduler = conversation->endpoint->ToString();
    conversation->ours =
        announcer_.ExtensionsOf(*conversation->endpoint).Has(common::rpc::kLazyStat);
    SchedulerMessages::Options options;
    options.host_id = options_.identity.host_id;
    options.concurrent_piece_count = options_.concurrent_piece_count;
    auto messages = SchedulerMessages::Make(std::move(options), std::move(registration));
    if (messages.ok()) {
      conversation->messages.emplace(*std::move(messages));
    } else {
      conversation->failed = messages.status();
    }
  }
  core.group.Spawn(Converse(conversation));
  return std::make_unique<Session>(conversation, options_.drain_timeout);
}

Co<void> GrpcSchedulerClient::Converse(std::shared_ptr<Conversation> it) {
  if (it->failed.ok() && it->recovery > absl::ZeroDuration()) {
    CancelScope bounded(it->scope, it->recovery);
    const absl::Status back = co_await selector_.AwaitHealthy(bounded);
    if (!back.ok()) it->failed = NoScheduler();
  }
  absl::Status status = it->failed;
  if (status.ok()) status = co_await Talk(it);
  it->stream = nullptr;
  it->drain.Disarm();
  if (!it->on_answer || it->ending) co_return;  // nobody waits for how it ended
  if (!it->failed.ok()) {
    core::RegistrationEnded ended;
    ended.status = it->failed;
    it->Deliver(std::move(ended));
    co_return;
  }
  auto ended = SchedulerMessages::EndedBy(status, it->answered, it->scheduler);
  if (ended.host_unknown && !it->scope.cancelled()) {
    CancelScope bounded(it->scope, options_.connect_timeout);
    absl::Status told = co_await announcer_.EnsureAnnounced(bounded, *it->endpoint, true);
    if (!told.ok()) {
      log::Info("a scheduler has forgotten this host and cannot be told",
                kv("scheduler", it->scheduler), kv("error", told));
    }
  } else {
    HandleLost(*it, status);
  }
  it->Deliver(std::move(ended));
}

absl::Status GrpcSchedulerClient::NoScheduler() const {
  return MakeStatus(
      absl::StatusCode::kUnavailable, ErrorReason::kSchedulerUnavailable,
      "no scheduler is known and healthy; they are named by " + selector_.directory_name());
}

void GrpcSchedulerClient::HandleLost(const Conversation& it, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    announcer_.AnnounceSoon(*it.endpoint);
    selector_.NoteLost();
    selector_.RefreshSoon();
  }
  if (log::OncePerMinute("registration ended " + it.scheduler)) {
    log::Info("a registration ended early", kv("scheduler", it.scheduler), kv("task", it.key.id),
              kv("error", status));
  }
}

// Bounded: a scheduler that cannot be told is not worth a registration.
Co<absl::Status> GrpcSchedulerClient::Introduce(std::shared_ptr<Conversation> it) {
  if (announcer_.Announced(*it->endpoint)) co_return absl::OkStatus();
  CancelScope bounded(it->scope, options_.connect_timeout);
  absl::Status told = co_await announcer_.EnsureAnnounced(bounded, *it->endpoint, false);
  if (it->scope.cancelled()) co_return it->scope.status();
  if (told.ok()) {
    it->ours = announcer_.ExtensionsOf(*it->endpoint).Has(common::rpc::kLazyStat);
    co_return absl::OkStatus();
  }
  co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kSchedulerUnavailable,
                       "this host could not be announced: " + told.ToString());
}

// The registration goes first and waits for no headers: upstream's come with the first answer.
void GrpcSchedulerClient::StartStream(Conversation& it) {
  SchedulerStub stub(channels_.Get(*it.endpoint));
  common::rpc::CallOptions call;
  call.trace = it.trace;
  call.extensions = Spoken();
  call.max_outgoing = options_.max_outgoing;
  it.stream = Stream::Start(it.scope.executor(), call, [&stub](auto* context, auto* reactor) {
    stub.async()->AnnouncePeer(context, reactor);
  });
  absl::Status sent = it.stream->TryWrite(it.messages->Register());
  for (Request& request : std::exchange(it.waiting, {})) {
    if (sent.ok()) sent = it.stream->TryWrite(std::move(request));
  }
  if (it.ending) it.stream->HalfClose();
}

void GrpcSchedulerClient::HandleResponse(Conversation& it, const Response& response) {
  auto read = it.messages->Read(response, it.ours);
  for (const std::string& dropped : read.dropped) {
    log::Warning("a scheduler named a parent that cannot be used", kv("scheduler", it.scheduler),
                 kv("why", dropped));
  }
  if (read.registered) {
    it.Send(it.messages->Started());
    for (Request& request : it.messages->End(false, absl::OkStatus())) it.Send(std::move(request));
    it.Deliver(core::RegistrationEnded());
    it.HalfClose(options_.drain_timeout);
  } else if (read.answer) {
    if (auto* parents = std::get_if<core::AnswerParents>(&*read.answer)) {
      parents->striped = it.striped;
    }
    it.Deliver(*std::move(read.answer));
  }
}

// Runs the stream; how it ended.
Co<absl::Status> GrpcSchedulerClient::Talk(std::shared_ptr<Conversation> it) {
  absl::Status known = co_await Introduce(it);
  if (!known.ok()) co_return known;
  StartStream(*it);
  while (true) {
    auto response = co_await it->stream->Read(it->scope);
    if (absl::IsOutOfRange(response.status())) co_return absl::OkStatus();
    if (!response.ok()) co_return response.status();
    if (!it->answered) {
      it->answered = true;
      auto agreed = co_await it->stream->Extensions(it->scope);
      if (agreed.ok()) it->ours = agreed->Has(common::rpc::kLazyStat);
      it->striped = agreed.ok() && agreed->Has(common::rpc::kStripes);
    }
    HandleResponse(*it, *response);
  }
}

bool GrpcSchedulerClient::KnowsLazyStat(const common::id::TaskKey& key, uint32_t attempt) const {
  const auto endpoint = selector_.Pick(key.id, attempt);
  return endpoint && announcer_.ExtensionsOf(*endpoint).Has(common::rpc::kLazyStat);
}

Co<absl::Status> GrpcSchedulerClient::DeleteTask(CancelScope& scope, common::id::TaskKey key,
                                                 common::trace::SpanContext trace) {
  if (key.kind != common::id::TaskKind::kStandard) co_return OtherKind(key);
  const auto endpoint = selector_.Pick(key.id, 0);
  if (!endpoint) co_return NoScheduler();
  auto stub = std::make_shared<SchedulerStub>(channels_.Get(*endpoint));
  ::scheduler::v2::DeleteTaskRequest request;
  request.set_host_id(options_.identity.host_id);
  request.set_task_id(key.id);
  common::rpc::CallOptions call;
  call.trace = std::move(trace);
  auto starter =
      [stub](::grpc::ClientContext* context, const ::scheduler::v2::DeleteTaskRequest* sent,
             ::google::protobuf::Empty* answer, std::function<void(::grpc::Status)> on_done) {
        stub->async()->DeleteTask(context, sent, answer, std::move(on_done));
      };
  auto answer = co_await common::rpc::UnaryCall<::google::protobuf::Empty>(
      scope, call, std::move(request), std::move(starter));
  co_return common::status::Annotate(answer.status(), "scheduler " + endpoint->ToString());
}

Co<absl::StatusOr<std::string>> GrpcSchedulerClient::StatTask(CancelScope& scope,
                                                              common::id::TaskKey key,
                                                              common::trace::SpanContext trace) {
  if (key.kind != common::id::TaskKind::kStandard) co_return OtherKind(key);
  const auto endpoint = selector_.Pick(key.id, 0);
  if (!endpoint) co_return NoScheduler();
  auto stub = std::make_shared<SchedulerStub>(channels_.Get(*endpoint));
  ::scheduler::v2::StatTaskRequest request;
  request.set_host_id(options_.identity.host_id);
  request.set_task_id(key.id);
  common::rpc::CallOptions call;
  call.trace = std::move(trace);
  auto starter = [stub](::grpc::ClientContext* context,
                        const ::scheduler::v2::StatTaskRequest* sent, ::common::v2::Task* answer,
                        std::function<void(::grpc::Status)> on_done) {
    stub->async()->StatTask(context, sent, answer, std::move(on_done));
  };
  auto answer = co_await common::rpc::UnaryCall<::common::v2::Task>(scope, call, std::move(request),
                                                                    std::move(starter));
  if (!answer.ok()) {
    co_return common::status::Annotate(answer.status(), "scheduler " + endpoint->ToString());
  }
  co_return answer->SerializeAsString();
}

}  // namespace dragonfly::dfdaemon::node
