#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "common/rpc/testing/loopback_server.h"
#include "gtest/gtest.h"
#include "proto/scheduler_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

// The methods that a test scheduler has.
using SchedulerMethods =
    common::rpc::OnlyMarked<::scheduler::v2::Scheduler::WithCallbackMethod_AnnouncePeer<
        ::scheduler::v2::Scheduler::WithCallbackMethod_AnnounceHost<
            ::scheduler::v2::Scheduler::WithCallbackMethod_DeleteHost<
                ::scheduler::v2::Scheduler::WithCallbackMethod_StatTask<
                    common::rpc::AllMethods<::scheduler::v2::Scheduler>>>>>>;

// A scheduler on a port of the kernel's choice that records what it is told and answers as a test
// says. It can be stopped and started again on the same port.
class TestScheduler final : public SchedulerMethods {
 public:
  using Request = ::scheduler::v2::AnnouncePeerRequest;
  using Response = ::scheduler::v2::AnnouncePeerResponse;
  using Stream = std::shared_ptr<common::rpc::ServerStream<Response>>;

  std::function<void(const Request&, const Stream&)> on_request;        // set before Start
  std::function<void(const Stream&)> on_cancel = [](const Stream&) {};  // the same
  common::rpc::ExtensionSet extensions;                                 // none: as upstream
  bool knows_hosts = true;  // false: every registration is refused until the host announces again

  void Start() { server_.Start(*this); }
  void Stop() { server_.Stop(); }
  ~TestScheduler() override { Stop(); }
  std::string address() const { return server_.address(); }

  // How often an event has been seen: "announce", "goodbye", "half-close", "cancel", or the name of
  // the field of a request.
  int Count(const std::string& event) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count(events_.begin(), events_.end(), event));
  }
  bool WaitFor(const std::string& event, int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] {
      return std::count(events_.begin(), events_.end(), event) >= count;
    });
  }
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  ::common::v2::Host host() {
    const std::lock_guard lock(mutex_);
    return host_;
  }

  ::grpc::ServerBidiReactor<Request, Response>* AnnouncePeer(
      ::grpc::CallbackServerContext* context) override {
    common::rpc::StreamOptions options;
    options.extensions = extensions;
    return common::rpc::ServeBidi<Request, Response>(context, options, [this](Stream stream) {
      return std::make_shared<Handler>(*this, stream);
    });
  }
  ::grpc::ServerUnaryReactor* AnnounceHost(::grpc::CallbackServerContext* context,
                                           const ::scheduler::v2::AnnounceHostRequest* request,
                                           ::google::protobuf::Empty*) override {
    common::rpc::OpenCall(*context, extensions);
    {
      const std::lock_guard lock(mutex_);
      host_ = request->host();
      knows_hosts = true;
    }
    const absl::Status valid = proto::rules::Validate(*request);
    EXPECT_TRUE(valid.ok()) << valid;
    Record("announce");
    auto* reactor = context->DefaultReactor();
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }
  ::grpc::ServerUnaryReactor* DeleteHost(::grpc::CallbackServerContext* context,
                                         const ::scheduler::v2::DeleteHostRequest*,
                                         ::google::protobuf::Empty*) override {
    Record("goodbye");
    auto* reactor = context->DefaultReactor();
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }
  ::grpc::ServerUnaryReactor* StatTask(::grpc::CallbackServerContext* context,
                                       const ::scheduler::v2::StatTaskRequest* request,
                                       ::common::v2::Task* task) override {
    task->set_id(request->task_id());
    task->set_piece_count(7);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }

 private:
  class Handler : public common::rpc::StreamHandler<Request> {
   public:
    Handler(TestScheduler& owner, Stream stream) : owner_(owner), stream_(std::move(stream)) {}
    void OnMessage(Request request) override {
      bool known = false;
      {
        const std::lock_guard lock(owner_.mutex_);
        owner_.requests_.push_back(request);
        known = owner_.knows_hosts;
      }
      const auto* field = request.GetReflection()->GetOneofFieldDescriptor(
          request, request.GetDescriptor()->FindOneofByName("request"));
      owner_.Record(field->name());
      stream_->Consumed(1);
      if (!known) {
        stream_->Finish(absl::NotFoundError("host me not found"));
        return;
      }
      if (owner_.on_request) owner_.on_request(request, stream_);
    }
    void OnHalfClose() override {
      owner_.Record("half-close");
      stream_->Finish(absl::OkStatus());
    }
    void OnCancel() override {
      owner_.Record("cancel");
      owner_.on_cancel(stream_);
    }
    void OnDone() override { stream_ = nullptr; }

   private:
    TestScheduler& owner_;
    Stream stream_;
  };

  void Record(const std::string& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }

  common::rpc::testing::LoopbackServer server_;
  std::mutex mutex_;  // guards what follows, and knows_hosts
  std::condition_variable changed_;
  std::vector<std::string> events_;
  std::vector<Request> requests_;
  ::common::v2::Host host_;
};

}  // namespace dragonfly::dfdaemon::node
