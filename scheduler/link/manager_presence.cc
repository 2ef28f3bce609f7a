#include "scheduler/link/manager_presence.h"

#include <grpcpp/channel.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/manager/backoff.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "proto/manager_v2.grpc.pb.h"

namespace dragonfly::scheduler::link {
namespace {

namespace log = common::log;
namespace v2 = ::manager::v2;
using common::async::CancelScope;
using common::async::Co;
using Empty = ::google::protobuf::Empty;
using Stream = common::rpc::ClientWriter<v2::KeepAliveRequest>;
using Stub = v2::Manager::Stub;

// Messages that may wait for a manager which does not read: it is as good as gone then.
constexpr size_t kMaxUnread = 16;
// gRPC ends a cancelled call by itself; this is for the case that it does not.
constexpr absl::Duration kCancelledCallEnds = absl::Seconds(10);

// The stream broke, or the manager ended it for reasons of its own (a restart, the age of a
// connection): nothing says that we were forgotten.
bool OnlyInterrupted(const absl::Status& ended) {
  return ended.ok() || absl::IsUnavailable(ended) || absl::IsCancelled(ended) ||
         absl::IsDeadlineExceeded(ended) || absl::IsResourceExhausted(ended);
}

}  // namespace

struct ManagerPresence::Impl {
  Impl(common::async::Executor the_executor, common::rpc::ChannelPool& the_channels,
       common::os::Env& the_env, Options the_options)
      : executor(the_executor),
        channels(the_channels),
        env(the_env),
        options(std::move(the_options)),
        scope(executor),
        group(executor),
        backoff(options.first_backoff, options.max_backoff) {}

  Co<void> Run();
  Co<absl::Status> Register();
  Co<absl::Status> KeepAlive();
  Co<absl::Status> Close(Stream* stream, std::unique_ptr<Empty> answer);
  Co<void> End();

  v2::UpdateSchedulerRequest Description() const;
  void Report(std::string_view what, const absl::Status& status) const;

  const common::async::Executor executor;
  common::rpc::ChannelPool& channels;
  common::os::Env& env;
  const Options options;
  // Of the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  common::manager::Backoff backoff;
  bool registered = false;
  bool started = false;
  bool stopped = false;
};

v2::UpdateSchedulerRequest ManagerPresence::Impl::Description() const {
  const SchedulerIdentity& identity = options.identity;
  v2::UpdateSchedulerRequest request;
  request.set_source_type(v2::SCHEDULER_SOURCE);
  request.set_hostname(identity.hostname);
  request.set_ip(identity.ip);
  request.set_port(identity.port);
  request.set_scheduler_cluster_id(identity.cluster_id);
  if (!identity.idc.empty()) request.set_idc(identity.idc);
  if (!identity.location.empty()) request.set_location(identity.location);
  for (const std::string& feature : identity.features) request.add_features(feature);
  // Nanoseconds: by this the manager knows when we have been silent for too long.
  request.set_config(absl::StrCat(R"({"manager_keep_alive_interval":)",
                                  absl::ToInt64Nanoseconds(options.keep_alive_interval), "}"));
  return request;
}

void ManagerPresence::Impl::Report(std::string_view what, const absl::Status& status) const {
  uint64_t suppressed = 0;
  if (!log::OncePerMinute("manager presence " + options.target, &suppressed)) return;
  log::Warning(what, log::kv("manager", options.target),
               log::kv("manager.schedulerClusterID", options.identity.cluster_id),
               log::kv("error", status), log::kv("not_logged", suppressed));
}

Co<absl::Status> ManagerPresence::Impl::Register() {
  auto stub = std::make_shared<Stub>(channels.Get(options.target));
  common::rpc::CallOptions call;
  call.timeout = options.call_timeout;
  auto starter = [stub](::grpc::ClientContext* context, const v2::UpdateSchedulerRequest* sent,
                        v2::Scheduler* answer, std::function<void(::grpc::Status)> on_done) {
    stub->async()->UpdateScheduler(context, sent, answer, std::move(on_done));
  };
  v2::UpdateSchedulerRequest request = Description();
  auto answer = co_await common::rpc::UnaryCall<v2::Scheduler>(scope, call, std::move(request),
                                                               std::move(starter));
  co_return answer.status();
}

// Until the stream ends, or the scope; how the stream ended.
Co<absl::Status> ManagerPresence::Impl::KeepAlive() {
  Stub stub(channels.Get(options.target));
  auto answer = std::make_unique<Empty>();
  common::rpc::CallOptions call;
  call.max_outgoing = kMaxUnread;
  std::unique_ptr<Stream> stream =
      Stream::Start(executor, call, [&stub, &answer](auto* context, auto* reactor) {
        stub.async()->KeepAlive(context, answer.get(), reactor);
      });
  v2::KeepAliveRequest message;
  message.set_source_type(v2::SCHEDULER_SOURCE);
  message.set_hostname(options.identity.hostname);
  message.set_ip(options.identity.ip);
  message.set_cluster_id(options.identity.cluster_id);
  uint32_t sent = 0;
  while (stream->TryWrite(message).ok()) {
    if (++sent == 2) backoff.Reset();  // it has held for an interval
    absl::Status slept = co_await common::async::Sleep(scope, options.keep_alive_interval);
    if (!slept.ok()) break;
  }
  absl::Status ended = co_await Close(stream.get(), std::move(answer));
  co_return ended;
}

// The end of the stream is what tells the manager that we are gone: it is waited for, not long.
Co<absl::Status> ManagerPresence::Impl::Close(Stream* stream, std::unique_ptr<Empty> answer) {
  stream->HalfClose();
  {
    CancelScope goodbye(executor, options.goodbye_timeout);
    absl::Status ended = co_await stream->Finished(goodbye);
    if (!goodbye.cancelled()) co_return ended;
  }
  stream->Cancel();
  CancelScope bounded(executor, kCancelledCallEnds);
  absl::Status ended = co_await stream->Finished(bounded);
  if (bounded.cancelled()) (void)answer.release();  // gRPC may still write to it
  co_return ended;
}

Co<void> ManagerPresence::Impl::Run() {
  while (!scope.cancelled()) {
    if (!registered) {
      absl::Status told = co_await Register();
      if (scope.cancelled()) break;
      registered = told.ok();
      if (registered) {
        log::Info("known to the manager", log::kv("manager", options.target),
                  log::kv("cluster", options.identity.cluster_id));
        options.on_registered();
      } else {
        Report("the manager does not know this scheduler yet; trying again", told);
      }
    }
    if (registered) {
      absl::Status ended = co_await KeepAlive();
      if (scope.cancelled()) break;
      registered = OnlyInterrupted(ended);
      Report("the stream to the manager has ended; opening it again", ended);
    }
    absl::Status slept = co_await common::async::Sleep(scope, backoff.Next(env.Random()));
    (void)slept;  // the loop looks at the scope
  }
}

Co<void> ManagerPresence::Impl::End() {
  scope.Cancel(common::status::MakeStatus(absl::StatusCode::kCancelled,
                                          common::status::ErrorReason::kShutdown,
                                          "this scheduler is stopping"));
  co_await group.Join();
}

ManagerPresence::ManagerPresence(common::async::Executor executor,
                                 common::rpc::ChannelPool& channels, common::os::Env& env,
                                 Options options)
    : impl_(std::make_unique<Impl>(executor, channels, env, std::move(options))) {}

ManagerPresence::~ManagerPresence() { Stop(); }

void ManagerPresence::Start() {
  if (impl_->started) return;
  impl_->started = true;
  Impl* impl = impl_.get();
  common::async::Post(impl->executor, [impl] { impl->group.Spawn(impl->Run()); });
}

void ManagerPresence::Stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  Impl* impl = impl_.get();
  common::async::RunToEnd(impl->executor, [impl] { return impl->End(); });
}

}  // namespace dragonfly::scheduler::link
