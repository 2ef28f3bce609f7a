#pragma once

// The server's side of calls, on gRPC's callback API. A service overrides the generated method with
// one line, and everything behind it deals with stream.h only:
//
//   ::grpc::ServerBidiReactor<Req, Resp>* AnnouncePeer(::grpc::CallbackServerContext* context)
//   override {
//     return rpc::ServeBidi<Req, Resp>(context, options_, [this](auto stream) { return
//     Open(stream); });
//   }
//
// Includes gRPC: for service sources only.

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "common/rpc/call_context.h"
#include "common/rpc/call_gate.h"
#include "common/rpc/stream.h"
#include "common/status/reason.h"
#include "proto/rules/validate.h"

namespace dragonfly::common::rpc {

// The sending half of a server stream: a bounded queue, one write in flight, one Finish.
//
// Lifetime: holds itself until OnDone, which gRPC calls last; owners hold it too (ServerStream).
// Start... calls of gRPC are made under the lock: gRPC never calls back from within them, and after
// OnDone there is nothing to call.
template <typename Resp, typename Reactor>
class ServerSending : public Reactor,
                      public ServerStream<Resp>,
                      public std::enable_shared_from_this<ServerSending<Resp, Reactor>> {
 public:
  ServerSending(::grpc::CallbackServerContext* context, const StreamOptions& options)
      : context_(context), options_(options), info_(OpenCall(*context, options.extensions)) {}

  absl::Status Write(Resp message) override {
    std::lock_guard lock(mutex_);
    if (finish_wanted_ || done_) return absl::CancelledError("the stream is over");
    if (outgoing_.size() >= options_.max_outgoing) {
      refused_ = true;
      return status::MakeStatus(absl::StatusCode::kResourceExhausted,
                                status::ErrorReason::kOverloaded,
                                "the peer does not read: the queue of its stream is full");
    }
    outgoing_.push_back(std::move(message));
    PumpLocked();
    return absl::OkStatus();
  }

  void Finish(absl::Status status) override {
    std::lock_guard lock(mutex_);
    FinishLocked(std::move(status));
  }

  void Consumed(size_t /*count*/) override {}

  const CallInfo& info() const override { return info_; }

 protected:
  // After construction, when a shared_ptr exists. Null events: `open` has refused the call.
  void Begin(std::shared_ptr<StreamEvents> events) {
    self_ = this->shared_from_this();
    std::lock_guard lock(mutex_);
    events_ = std::move(events);
    begun_ = true;
    // At once: upstream clients give up when the headers take longer than 10 s.
    this->StartSendInitialMetadata();
    if (events_ == nullptr) {
      FinishLocked(status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                                      "nobody handles this call"));
    }
    PumpLocked();
  }

  void FinishLocked(absl::Status status) {
    if (finish_wanted_ || done_) return;
    finish_wanted_ = true;
    finish_status_ = std::move(status);
    if (!finish_status_.ok()) DropUnsentLocked();
    PumpLocked();
    if (finished_) return;
    const absl::Duration linger = std::min(options_.finish_linger, absl::Hours(1));
    const auto latest = std::chrono::system_clock::now() + absl::ToChronoMilliseconds(linger);
    // Weak, because an alarm keeps its function as long as itself.
    linger_.Set(latest, [weak = this->weak_from_this()](bool passed) {
      std::shared_ptr<ServerSending> self = weak.lock();
      if (self == nullptr) return;
      std::lock_guard lock(self->mutex_);
      if (passed && !self->done_) self->context_->TryCancel();
    });
  }

  bool OverLocked() const { return finish_wanted_ || done_; }
  std::shared_ptr<StreamEvents> events() {
    std::lock_guard lock(mutex_);
    return events_;
  }

  std::mutex mutex_;  // guards everything below, and the calls into gRPC
  ::grpc::CallbackServerContext* const context_;
  const StreamOptions options_;

 private:
  void OnWriteDone(bool ok) override {
    bool writable = false;
    std::shared_ptr<StreamEvents> events;
    {
      std::lock_guard lock(mutex_);
      write_in_flight_ = false;
      outgoing_.pop_front();
      if (!ok) DropUnsentLocked();  // OnCancel follows
      PumpLocked();
      writable = refused_ && outgoing_.size() <= options_.max_outgoing / 2 && !OverLocked();
      if (writable) {
        refused_ = false;
        events = events_;
      }
    }
    if (events != nullptr) events->OnWritable();
  }

  void OnCancel() override {
    std::shared_ptr<StreamEvents> told = events();
    if (told != nullptr) told->OnCancel();
    std::lock_guard lock(mutex_);
    DropUnsentLocked();
    FinishLocked(absl::CancelledError("the call was cancelled"));
    PumpLocked();
  }

  void OnDone() override {
    std::shared_ptr<StreamEvents> told;
    {
      std::lock_guard lock(mutex_);
      done_ = true;
      told = std::move(events_);
      linger_.Cancel();
    }
    if (told != nullptr) told->OnDone();
    auto last = std::move(self_);
  }

  void DropUnsentLocked() {
    while (outgoing_.size() > (write_in_flight_ ? 1U : 0U)) outgoing_.pop_back();
  }

  void PumpLocked() {
    if (!begun_ || done_ || finished_ || write_in_flight_) return;
    if (!outgoing_.empty()) {
      write_in_flight_ = true;
      this->StartWrite(&outgoing_.front());
    } else if (finish_wanted_) {
      finished_ = true;
      Reactor::Finish(EndCall(*context_, finish_status_));
    }
  }

  const CallInfo info_;
  std::shared_ptr<StreamEvents> events_;
  std::deque<Resp> outgoing_;  // a deque: the message in flight may not move
  absl::Status finish_status_;
  bool begun_ = false;
  bool write_in_flight_ = false;
  bool refused_ = false;
  bool finish_wanted_ = false;
  bool finished_ = false;
  bool done_ = false;
  ::grpc::Alarm linger_;
  std::shared_ptr<ServerSending> self_;
};

// Adds validated reads with back-pressure.
template <typename Req, typename Resp, typename Reactor>
class ServerReceiving : public ServerSending<Resp, Reactor> {
  using Base = ServerSending<Resp, Reactor>;

 public:
  using Base::Base;

  void Start(std::shared_ptr<StreamHandler<Req>> handler) {
    handler_ = handler.get();
    this->Begin(std::move(handler));
    std::lock_guard lock(this->mutex_);
    ReadLocked();
  }

  void Consumed(size_t count) override {
    std::lock_guard lock(this->mutex_);
    unconsumed_ -= std::min(count, unconsumed_);
    ReadLocked();
  }

 private:
  void ReadLocked() {
    if (reading_ || no_more_ || this->OverLocked()) return;
    if (unconsumed_ >= this->options_.max_unconsumed) return;
    reading_ = true;
    this->StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    std::shared_ptr<StreamEvents> keep = this->events();
    const absl::Status valid = ok ? proto::rules::Validate(incoming_) : absl::OkStatus();
    const bool message = ok && valid.ok();
    bool deliver = false;
    {
      std::lock_guard lock(this->mutex_);
      deliver = keep != nullptr && !this->OverLocked();
      if (message) {
        ++unconsumed_;
      } else {
        no_more_ = true;
      }
      if (!valid.ok()) this->FinishLocked(valid);
    }
    if (deliver && message) {
      handler_->OnMessage(std::exchange(incoming_, Req()));
    } else if (deliver && !ok && !this->context_->IsCancelled()) {
      handler_->OnHalfClose();
    }
    std::lock_guard lock(this->mutex_);
    reading_ = false;
    ReadLocked();
  }

  StreamHandler<Req>* handler_ = nullptr;  // owned by Base
  Req incoming_;
  size_t unconsumed_ = 0;
  bool reading_ = false;  // from StartRead until OnMessage has returned: one message at a time
  bool no_more_ = false;
};

template <typename Req, typename Resp>
class ServerBidi final : public ServerReceiving<Req, Resp, ::grpc::ServerBidiReactor<Req, Resp>> {
 public:
  using ServerReceiving<Req, Resp, ::grpc::ServerBidiReactor<Req, Resp>>::ServerReceiving;
};

// A client stream as a stream with nothing to send: the answer is the empty Resp and the status.
template <typename Req, typename Resp>
class ServerReadOnly : public ::grpc::ServerReadReactor<Req> {
 protected:
  void StartWrite(const Resp* /*never*/) {}
  virtual void OnWriteDone(bool /*ok*/) {}
};

template <typename Req, typename Resp>
class ServerReader final : public ServerReceiving<Req, Resp, ServerReadOnly<Req, Resp>> {
 public:
  using ServerReceiving<Req, Resp, ServerReadOnly<Req, Resp>>::ServerReceiving;
  absl::Status Write(Resp /*message*/) override {
    return absl::FailedPreconditionError("a client stream is answered by Finish alone");
  }
};

template <typename Resp>
class ServerWriter final : public ServerSending<Resp, ::grpc::ServerWriteReactor<Resp>> {
 public:
  using ServerSending<Resp, ::grpc::ServerWriteReactor<Resp>>::ServerSending;
  void Start(std::shared_ptr<StreamEvents> events) { this->Begin(std::move(events)); }
};

// `open(std::shared_ptr<ServerStream<Resp>>)` returns the std::shared_ptr of the
// StreamHandler<Req>. It may use the stream at once; to refuse the call it calls Finish and returns
// nullptr.
template <typename Req, typename Resp, typename Open>
::grpc::ServerBidiReactor<Req, Resp>* ServeBidi(::grpc::CallbackServerContext* context,
                                                const StreamOptions& options, const Open& open) {
  auto stream = std::make_shared<ServerBidi<Req, Resp>>(context, options);
  stream->Start(open(std::shared_ptr<ServerStream<Resp>>(stream)));
  return stream.get();
}

// As ServeBidi.
template <typename Req, typename Resp, typename Open>
::grpc::ServerReadReactor<Req>* ServeReader(::grpc::CallbackServerContext* context,
                                            const StreamOptions& options, const Open& open) {
  auto stream = std::make_shared<ServerReader<Req, Resp>>(context, options);
  stream->Start(open(std::shared_ptr<ServerStream<Resp>>(stream)));
  return stream.get();
}

// `open(stream, Req)` returns the std::shared_ptr of the StreamEvents.
template <typename Req, typename Resp, typename Open>
::grpc::ServerWriteReactor<Resp>* ServeWriter(::grpc::CallbackServerContext* context,
                                              const Req* request, const StreamOptions& options,
                                              const Open& open) {
  auto stream = std::make_shared<ServerWriter<Resp>>(context, options);
  absl::Status valid = proto::rules::Validate(*request);
  if (valid.ok() && options.gate != nullptr) valid = options.gate->Admit(stream->info().peer);
  if (valid.ok()) {
    stream->Start(open(std::shared_ptr<ServerStream<Resp>>(stream), *request));
  } else {
    stream->Finish(valid);
    stream->Start(nullptr);
  }
  return stream.get();
}

}  // namespace dragonfly::common::rpc
