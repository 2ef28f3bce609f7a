#include "scheduler/seed/seed_client.h"

#include <grpcpp/channel.h>

#include <utility>

#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/rpc/reactor.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::scheduler::seed {
namespace {

using common::async::CancelScope;
using common::async::Co;
namespace log = common::log;
namespace pb = ::dfdaemon::v2;

}  // namespace

struct SeedClient::Impl : std::enable_shared_from_this<Impl> {
  Impl(common::async::Executor the_executor, common::rpc::ChannelPool& the_channels,
       Options the_options,
       std::function<void(const core::SeedTrigger&, core::SeedTriggerEnded)> callback)
      : executor(the_executor),
        channels(the_channels),
        options(std::move(the_options)),
        on_ended(std::move(callback)),
        scope(executor),
        group(executor) {}

  Co<void> Run(core::SeedTrigger trigger) {
    common::trace::Span span =
        options.tracer.Start("trigger_seed", common::trace::SpanKind::kClient,
                             common::trace::SpanContext::Unpack(trigger.trace));
    span.SetText(common::trace::keys::kTaskId, trigger.task_id);
    span.SetText("remote_host_id", trigger.host_id);
    absl::Status status = co_await Drain(trigger, span.context());
    span.SetStatus(status);
    span.End();
    --running;
    if (scope.cancelled()) co_return;
    if (status.ok()) {
      log::Debug("seed trigger ended", log::kv("task", trigger.task_id),
                 log::kv("host", trigger.host_id));
    } else {
      log::Warning("seed trigger failed", log::kv("task", trigger.task_id),
                   log::kv("host", trigger.host_id), log::kv("error", status));
    }
    core::SeedTriggerEnded ended;
    ended.task_id = trigger.task_id;
    ended.trigger_id = trigger.trigger_id;
    ended.ok = status.ok();
    on_ended(trigger, std::move(ended));
  }

  Co<absl::Status> Drain(const core::SeedTrigger& trigger, common::trace::SpanContext of) {
    pb::DownloadTaskRequest request;
    if (!request.mutable_download()->ParseFromString(*trigger.download)) {
      co_return absl::InternalError("the download of a trigger does not parse");
    }
    request.mutable_download()->set_need_back_to_source(true);
    request.mutable_download()->clear_output_path();
    request.mutable_download()->set_remote_ip(options.remote_ip);

    using Reader = common::rpc::ClientReader<pb::DownloadTaskResponse>;
    std::unique_ptr<pb::DfdaemonUpload::Stub> stub =
        pb::DfdaemonUpload::NewStub(channels.Get(trigger.address));
    auto starter = [&stub, &request](::grpc::ClientContext* context,
                                     ::grpc::ClientReadReactor<pb::DownloadTaskResponse>* reactor) {
      stub->async()->DownloadTask(context, &request, reactor);
    };
    common::rpc::CallOptions call_options;
    call_options.trace = of;
    std::unique_ptr<Reader> reader = Reader::Start(executor, call_options, starter);
    CancelScope limit(scope, options.timeout);
    while (true) {
      absl::StatusOr<pb::DownloadTaskResponse> message = co_await reader->Read(limit);
      if (message.ok()) continue;
      if (absl::IsOutOfRange(message.status())) co_return absl::OkStatus();
      co_return message.status();
    }
  }

  Co<void> End() {
    scope.Cancel(absl::CancelledError("shutting down"));
    co_await group.Join();
  }

  const common::async::Executor executor;
  common::rpc::ChannelPool& channels;
  const Options options;
  const std::function<void(const core::SeedTrigger&, core::SeedTriggerEnded)> on_ended;
  // Everything below belongs to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  size_t running = 0;
};

SeedClient::SeedClient(
    common::async::Executor executor, common::rpc::ChannelPool& channels, Options options,
    std::function<void(const core::SeedTrigger&, core::SeedTriggerEnded)> on_ended)
    : impl_(std::make_shared<Impl>(executor, channels, std::move(options), std::move(on_ended))) {}

SeedClient::~SeedClient() { Stop(); }

void SeedClient::Start(core::SeedTrigger trigger) {
  common::async::Post(impl_->executor, [impl = impl_, trigger = std::move(trigger)] {
    if (impl->scope.cancelled()) return;
    if (impl->running >= impl->options.max_running) {
      core::SeedTriggerEnded refused;
      refused.task_id = trigger.task_id;
      refused.trigger_id = trigger.trigger_id;
      impl->on_ended(trigger, std::move(refused));
      return;
    }
    ++impl->running;
    impl->group.Spawn(impl->Run(trigger));
  });
}

void SeedClient::Stop() {
  if (impl_ == nullptr) return;
  common::async::RunToEnd(impl_->executor, [impl = impl_.get()] { return impl->End(); });
  impl_ = nullptr;
}

}  // namespace dragonfly::scheduler::seed
