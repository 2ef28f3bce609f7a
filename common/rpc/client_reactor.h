#pragma once

// The client's side of calls, for coroutines. Includes gRPC.
//
//   auto call = rpc::ClientBidi<Req, Resp>::Start(executor, options, [&](auto* context, auto*
//   reactor) {
//     stub->async()->AnnouncePeer(context, reactor);
//   });
//   absl::Status sent = co_await call->Write(scope, std::move(request));
//   absl::StatusOr<Resp> answer = co_await call->Read(scope);

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/rpc/call_context.h"
#include "common/status/reason.h"

namespace dragonfly::common::rpc::internal {

struct NoMessage {};

// A running call: between gRPC's threads (On...) and one executor (the rest). Holds itself until
// OnDone. Calls into gRPC are made under the lock and only while held, so that never one is made on
// a call that is gone.
template <typename Req, typename Resp, typename Reactor, bool kSends, bool kReceives>
class ClientCall final
    : public Reactor,
      public std::enable_shared_from_this<ClientCall<Req, Resp, Reactor, kSends, kReceives>> {
 public:
  ClientCall(async::Executor executor, const CallOptions& options)
      : changed(executor), executor_(executor), options_(options) {
    PrepareCall(context_, options, /*timed=*/false);
  }

  template <typename Starter>
  void Begin(const Starter& starter) {
    self_ = this->shared_from_this();
    std::lock_guard lock(mutex_);
    starter(&context_, this);
    this->AddHold();
    this->StartCall();
    ReadLocked();
  }

  // RESOURCE_EXHAUSTED when the queue is full; `message` is then untouched.
  absl::Status TryWrite(Req& message) {
    std::lock_guard lock(mutex_);
    if (done_ && !status_.ok()) return status_;
    if (done_ || !held_ || broken_ || half_close_wanted_) {
      return absl::CancelledError("the stream is over");
    }
    if (outgoing_.size() >= options_.max_outgoing) {
      return status::MakeStatus(absl::StatusCode::kResourceExhausted,
                                status::ErrorReason::kOverloaded,
                                "the peer does not read: the queue of the stream is full");
    }
    outgoing_.push_back(std::move(message));
    PumpLocked();
    return absl::OkStatus();
  }

  void HalfClose() {
    std::lock_guard lock(mutex_);
    half_close_wanted_ = true;
    PumpLocked();
  }

  void Cancel() {
    std::lock_guard lock(mutex_);
    if (done_) return;
    context_.TryCancel();
    no_more_ = true;
    if (!reading_) ReleaseLocked();
  }

  // Nobody is told any more.
  void Detach() {
    Cancel();
    std::lock_guard lock(mutex_);
    attached_ = false;
  }

  // The next message, or how the stream ended (OUT_OF_RANGE for OK); nothing yet: nullopt.
  std::optional<absl::StatusOr<Resp>> TryRead() {
    std::lock_guard lock(mutex_);
    if (!incoming_.empty()) {
      std::optional<absl::StatusOr<Resp>> out(std::move(incoming_.front()));
      incoming_.pop_front();
      ReadLocked();
      return out;
    }
    if (!done_) return std::nullopt;
    if (status_.ok()) return absl::OutOfRangeError("the stream has ended");
    return status_;
  }

  std::optional<absl::Status> TryFinished() {
    std::lock_guard lock(mutex_);
    if (!done_) return std::nullopt;
    return status_;
  }

  std::optional<ExtensionSet> TryExtensions() {
    std::lock_guard lock(mutex_);
    if (!headers_ && !done_) return std::nullopt;
    return agreed_;
  }

  async::Signal changed;  // belongs to the executor

 private:
  // The next three override what the reactor has of them.
  void OnReadInitialMetadataDone(bool ok) override {
    std::lock_guard lock(mutex_);
    headers_ = true;
    if (ok) agreed_ = AgreedExtensions(context_);
    NotifyLocked();
  }

  void OnReadDone(bool ok) {
    std::lock_guard lock(mutex_);
    reading_ = false;
    if (ok) {
      incoming_.push_back(std::exchange(reading_into_, Resp()));
    } else {
      no_more_ = true;
    }
    if (no_more_) ReleaseLocked();
    ReadLocked();
    NotifyLocked();
  }

  void OnWriteDone(bool ok) {
    std::lock_guard lock(mutex_);
    writing_ = false;
    outgoing_.pop_front();
    if (!ok) {
      broken_ = true;
      outgoing_.clear();
      if constexpr (!kReceives) ReleaseLocked();
    }
    PumpLocked();
    NotifyLocked();
  }

  void OnDone(const ::grpc::Status& status) override {
    std::shared_ptr<ClientCall> last;
    std::lock_guard lock(mutex_);
    done_ = true;
    status_ = StatusOfCall(status, context_);
    last = std::move(self_);
    NotifyLocked();
    // `last` is destroyed after the lock: declared before it.
  }

  void ReadLocked() {
    if constexpr (kReceives) {
      if (!held_ || reading_ || no_more_ || incoming_.size() >= options_.max_incoming) return;
      reading_ = true;
      this->StartRead(&reading_into_);
    }
  }

  void PumpLocked() {
    if constexpr (kSends) {
      if (!held_ || writing_ || broken_) return;
      if (!outgoing_.empty()) {
        writing_ = true;
        this->StartWrite(&outgoing_.front());
      } else if (half_close_wanted_ && !half_closed_) {
        half_closed_ = true;
        this->StartWritesDone();
        if constexpr (!kReceives) ReleaseLocked();
      }
    }
  }

  // No operation will be started any more: gRPC may finish the call.
  void ReleaseLocked() {
    if (!held_) return;
    held_ = false;
    this->RemoveHold();
  }

  // One post for all that happened since the last one ran. Under the lock, so that after Detach
  // there is none.
  void NotifyLocked() {
    if (!attached_ || notify_posted_) return;
    notify_posted_ = true;
    async::Post(executor_, [self = this->shared_from_this()] {
      {
        std::lock_guard lock(self->mutex_);
        self->notify_posted_ = false;
      }
      self->changed.NotifyAll();
    });
  }

  async::Executor executor_;
  const CallOptions options_;

  std::mutex mutex_;  // guards everything below, and the calls into gRPC
  ::grpc::ClientContext context_;
  std::deque<Req> outgoing_;  // a deque: the message in flight may not move
  std::deque<Resp> incoming_;
  Resp reading_into_;
  bool held_ = true;
  bool attached_ = true;
  bool notify_posted_ = false;
  bool headers_ = false;
  bool reading_ = false;
  bool no_more_ = false;
  bool writing_ = false;
  bool broken_ = false;  // a write has failed; the reads say why
  bool half_close_wanted_ = false;
  bool half_closed_ = false;
  bool done_ = false;
  absl::Status status_;
  ExtensionSet agreed_;
  std::shared_ptr<ClientCall> self_;
};

}  // namespace dragonfly::common::rpc::internal

namespace dragonfly::common::rpc {

// The caller's hold on a stream; gone means cancelled. No deadline: inactivity is the caller's to
// watch, with the scope of each wait. Threading: belongs to the executor of Start. One coroutine
// reads and one writes at a time; nobody waits when it is destroyed.
template <typename Req, typename Resp, typename Reactor, bool kSends, bool kReceives>
class ClientStream {
  using Call = internal::ClientCall<Req, Resp, Reactor, kSends, kReceives>;

 public:
  // `starter(::grpc::ClientContext*, Reactor*)` calls the generated method of stub->async().
  template <typename Starter>
  static std::unique_ptr<ClientStream> Start(async::Executor executor, const CallOptions& options,
                                             const Starter& starter) {
    auto call = std::make_shared<Call>(executor, options);
    call->Begin(starter);
    return std::unique_ptr<ClientStream>(new ClientStream(std::move(call)));
  }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;
  ~ClientStream() { call_->Detach(); }

  // The next message; OUT_OF_RANGE when the server ended with OK, else its status.
  async::Co<absl::StatusOr<Resp>> Read(async::CancelScope& scope)
    requires kReceives
  {
    while (true) {
      std::optional<absl::StatusOr<Resp>> got = call_->TryRead();
      if (got.has_value()) co_return std::move(*got);
      absl::Status waited = co_await call_->changed.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
  }

  // Queues a message, waiting for room. An error says that the stream is over; the status is read.
  async::Co<absl::Status> Write(async::CancelScope& scope, Req message)
    requires kSends
  {
    while (true) {
      absl::Status written = call_->TryWrite(message);
      if (!absl::IsResourceExhausted(written)) co_return written;
      absl::Status waited = co_await call_->changed.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
  }
  // RESOURCE_EXHAUSTED instead of waiting.
  absl::Status TryWrite(Req message)
    requires kSends
  {
    return call_->TryWrite(message);
  }
  // Nothing more will be written.
  void HalfClose()
    requires kSends
  {
    call_->HalfClose();
  }

  void Cancel() { call_->Cancel(); }

  // What of the offered extensions the server speaks. Waits for its headers, which an upstream
  // scheduler sends with its first answer only.
  async::Co<absl::StatusOr<ExtensionSet>> Extensions(async::CancelScope& scope) {
    while (true) {
      std::optional<ExtensionSet> agreed = call_->TryExtensions();
      if (agreed.has_value()) co_return *agreed;
      absl::Status waited = co_await call_->changed.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
  }

  // How the call ended, once everything that was received has been read.
  async::Co<absl::Status> Finished(async::CancelScope& scope) {
    while (true) {
      std::optional<absl::Status> status = call_->TryFinished();
      if (status.has_value()) co_return *status;
      absl::Status waited = co_await call_->changed.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
  }

 private:
  explicit ClientStream(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  std::shared_ptr<Call> call_;  // shared with gRPC until OnDone
};

template <typename Req, typename Resp>
using ClientBidi = ClientStream<Req, Resp, ::grpc::ClientBidiReactor<Req, Resp>, true, true>;
template <typename Resp>
using ClientReader =
    ClientStream<internal::NoMessage, Resp, ::grpc::ClientReadReactor<Resp>, false, true>;
// The starter hands the place for the one answer to the generated method; it must outlive the call.
template <typename Req>
using ClientWriter =
    ClientStream<Req, internal::NoMessage, ::grpc::ClientWriteReactor<Req>, true, false>;

namespace internal {

template <typename Resp>
struct UnaryState {
  explicit UnaryState(async::Executor executor) : finished(executor) {}
  ::grpc::ClientContext context;
  Resp response;
  std::optional<absl::Status> status;  // belongs to the executor
  async::Signal finished;
  std::mutex mutex;  // guards attached
  bool attached = true;
};

}  // namespace internal

// A unary call. `starter(::grpc::ClientContext*, const Req*, Resp*,
// std::function<void(::grpc::Status)>)` calls the generated method of stub->async(). When the scope
// ends first, the call is cancelled and the scope's status returned.
template <typename Resp, typename Req, typename Starter>
async::Co<absl::StatusOr<Resp>> UnaryCall(async::CancelScope& scope, CallOptions options,
                                          Req request, Starter starter) {
  if (scope.cancelled()) co_return scope.status();
  const async::Executor executor = scope.executor();
  auto state = std::make_shared<internal::UnaryState<Resp>>(executor);
  auto sent =
      std::make_shared<Req>(std::move(request));  // gRPC reads it before and after we return
  PrepareCall(state->context, options, /*timed=*/true);
  std::function<void(::grpc::Status)> on_done = [state, sent,
                                                 executor](const ::grpc::Status& status) {
    std::lock_guard lock(state->mutex);
    if (!state->attached) return;
    async::Post(executor, [state, result = StatusOfCall(status, state->context)] {
      state->status = result;
      state->finished.NotifyAll();
    });
  };
  starter(&state->context, sent.get(), &state->response, std::move(on_done));
  while (!state->status.has_value()) {
    absl::Status waited = co_await state->finished.Wait(scope);
    if (waited.ok()) continue;
    state->context.TryCancel();
    std::lock_guard lock(state->mutex);
    state->attached = false;
    co_return waited;
  }
  if (!state->status->ok()) co_return *state->status;
  co_return std::move(state->response);
}

}  // namespace dragonfly::common::rpc
