#pragma once

// Unary calls on the server: answered by a callback from any thread, or by a coroutine. Includes
// gRPC.

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/rpc/call_context.h"
#include "common/rpc/call_gate.h"
#include "common/status/reason.h"
#include "proto/rules/validate.h"

namespace dragonfly::common::rpc {

// One unary call; holds itself until OnDone.
template <typename Resp>
class ServerUnary final : public ::grpc::ServerUnaryReactor,
                          public std::enable_shared_from_this<ServerUnary<Resp>> {
 public:
  ServerUnary(::grpc::CallbackServerContext* context, Resp* response)
      : context_(context), response_(response) {}

  void HoldItself() { self_ = this->shared_from_this(); }

  void Answer(absl::StatusOr<Resp> answer) {
    std::lock_guard lock(mutex_);
    if (answered_) return;
    answered_ = true;
    if (answer.ok()) *response_ = std::move(*answer);
    this->Finish(EndCall(*context_, answer.status()));
  }

  void SetOnCancel(std::function<void()> on_cancel) {
    {
      std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (!answered_) on_cancel_ = std::move(on_cancel);
        return;
      }
    }
    on_cancel();
  }

 private:
  void OnCancel() override {
    std::function<void()> on_cancel;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      on_cancel = std::exchange(on_cancel_, nullptr);
    }
    if (on_cancel) on_cancel();
    Answer(absl::CancelledError("the call was cancelled"));
  }

  void OnDone() override {
    {
      std::lock_guard lock(mutex_);
      on_cancel_ = nullptr;
    }
    auto last = std::move(self_);
  }

  std::mutex mutex_;  // guards everything below
  ::grpc::CallbackServerContext* const context_;
  Resp* const response_;
  std::function<void()> on_cancel_;
  bool answered_ = false;
  bool cancelled_ = false;
  std::shared_ptr<ServerUnary> self_;
};

// The right to answer a call. Copies are the same right; when the last one goes without an answer,
// the caller gets INTERNAL. Threading: any thread; answering after the end of the call does
// nothing.
template <typename Resp>
class UnaryReply {
 public:
  explicit UnaryReply(std::shared_ptr<ServerUnary<Resp>> call)
      : right_(std::make_shared<Right>(std::move(call))) {}

  void Send(absl::StatusOr<Resp> answer) const { right_->call->Answer(std::move(answer)); }
  // Called at most once, on any thread, when the caller goes away before the answer.
  void OnCancel(std::function<void()> on_cancel) const {
    right_->call->SetOnCancel(std::move(on_cancel));
  }

 private:
  struct Right {
    explicit Right(std::shared_ptr<ServerUnary<Resp>> the_call) : call(std::move(the_call)) {}
    Right(const Right&) = delete;
    Right& operator=(const Right&) = delete;
    ~Right() {
      call->Answer(status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                                      "the call was not answered"));
    }
    std::shared_ptr<ServerUnary<Resp>> call;
  };
  std::shared_ptr<Right> right_;
};

// `handler(const CallInfo&, const Req&, UnaryReply<Resp>)` is called on gRPC's thread with a valid
// request; it must not block, and answers now or later. `gate` is asked first, if there is one.
template <typename Req, typename Resp, typename Handler>
::grpc::ServerUnaryReactor* ServeUnary(::grpc::CallbackServerContext* context, const Req* request,
                                       Resp* response, const Handler& handler,
                                       CallGate* gate = nullptr) {
  auto call = std::make_shared<ServerUnary<Resp>>(context, response);
  call->HoldItself();
  absl::Status valid = proto::rules::Validate(*request);
  if (!valid.ok()) {
    call->Answer(valid);
    return call.get();
  }
  const CallInfo info = OpenCall(*context, ExtensionSet());
  if (absl::Status admitted = gate == nullptr ? absl::OkStatus() : gate->Admit(info.peer);
      !admitted.ok()) {
    call->Answer(std::move(admitted));
    return call.get();
  }
  handler(info, *request, UnaryReply<Resp>(call));
  return call.get();
}

// Where coroutines of a service run: the three belong together. The server is shut down first, then
// the scope is cancelled and the group joined.
struct ServiceLoop {
  async::Executor executor;
  async::TaskGroup* group;
  async::CancelScope* scope;
};

namespace internal {

// Ties the end of a call to the scope of its coroutine. Belongs to the executor.
struct UnaryLink {
  async::CancelScope* scope = nullptr;
  bool cancelled = false;

  void Cancel() {
    cancelled = true;
    if (scope != nullptr) scope->Cancel(absl::CancelledError("the caller went away"));
  }
};

template <typename Req, typename Resp, typename Body>
async::Co<void> RunUnary(async::CancelScope& parent, std::shared_ptr<UnaryLink> link, CallInfo info,
                         Req request, UnaryReply<Resp> reply, Body body) {
  async::CancelScope scope(parent, info.deadline - absl::Now());
  link->scope = &scope;
  if (link->cancelled) link->Cancel();
  absl::StatusOr<Resp> answer = co_await body(scope, std::move(info), std::move(request));
  link->scope = nullptr;
  reply.Send(std::move(answer));
}

}  // namespace internal

// `body(CancelScope&, CallInfo, Req) -> Co<StatusOr<Resp>>` runs on the loop; the scope ends when
// the caller goes away or its deadline passes.
template <typename Req, typename Resp, typename Body>
::grpc::ServerUnaryReactor* ServeUnaryOn(ServiceLoop loop, ::grpc::CallbackServerContext* context,
                                         const Req* request, Resp* response, Body body,
                                         CallGate* gate = nullptr) {
  auto handler = [loop, &body](const CallInfo& info, const Req& valid_request,
                               UnaryReply<Resp> reply) {
    auto link = std::make_shared<internal::UnaryLink>();
    reply.OnCancel(
        [executor = loop.executor, link] { async::Post(executor, [link] { link->Cancel(); }); });
    async::Post(loop.executor, [loop, link, info, valid_request, reply, body] {
      loop.group->Spawn(
          internal::RunUnary<Req, Resp, Body>(*loop.scope, link, info, valid_request, reply, body));
    });
  };
  return ServeUnary<Req, Resp>(context, request, response, handler, gate);
}

}  // namespace dragonfly::common::rpc
