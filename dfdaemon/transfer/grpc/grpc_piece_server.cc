#include "dfdaemon/transfer/grpc/grpc_piece_server.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/transfer/grpc/byte_budget.h"
#include "dfdaemon/transfer/grpc/message_buffers.h"
#include "dfdaemon/transfer/grpc/piece_message.h"
#include "proto/dfdaemon_v2.pb.h"
#include "proto/rules/validate.h"

namespace dragonfly::dfdaemon::transfer::grpc {

namespace async = common::async;
namespace v2 = ::dfdaemon::v2;
using common::id::TaskKey;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;

namespace {

absl::Status Stopping() {
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                    "the piece server stops");
}

struct Question {
  TaskKey key;
  core::PieceNumber number = 0;
};

template <typename Request>
absl::StatusOr<Question> ReadQuestion(TaskKind kind, const ::grpc::ByteBuffer& bytes) {
  ::grpc::ByteBuffer copy(bytes);  // of the references
  ::grpc::ProtoBufferReader reader(&copy);
  Request request;
  if (!reader.status().ok() || !request.ParseFromZeroCopyStream(&reader)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "the request is no message of its type");
  }
  absl::Status valid = proto::rules::Validate(request);
  if (!valid.ok()) return valid;
  Question question;
  question.key.kind = kind;
  question.key.id = request.task_id();
  question.number = request.piece_number();
  return question;
}

absl::StatusOr<Question> ReadQuestionOfKind(TaskKind kind, const ::grpc::ByteBuffer& bytes) {
  switch (kind) {
    case TaskKind::kPersistent:
      return ReadQuestion<v2::DownloadPersistentPieceRequest>(kind, bytes);
    case TaskKind::kPersistentCache:
      return ReadQuestion<v2::DownloadPersistentCachePieceRequest>(kind, bytes);
    case TaskKind::kStandard:
      break;
  }
  return ReadQuestion<v2::DownloadPieceRequest>(kind, bytes);
}

// What a child is told instead of a piece: the reason, and not the message, which may name files of
// this node.
absl::Status Refusal(const Question& question, const absl::Status& why) {
  const std::string piece = absl::StrCat("piece ", question.key.id, "-", question.number);
  if (absl::IsNotFound(why) || absl::IsDeadlineExceeded(why)) {
    return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                      StdView(absl::StrCat(piece, " not found")));
  }
  const ErrorReason reason = common::status::ReasonOf(why);
  const bool overloaded = absl::IsResourceExhausted(why);
  return MakeStatus(
      overloaded ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal, reason,
      StdView(absl::StrCat(piece, ": ", common::status::Sv(common::status::ReasonName(reason)))));
}

// A piece that this node has and cannot send: another parent is asked.
absl::Status Broken(const Question& question, const absl::Status& why) {
  const ErrorReason reason = common::status::ReasonOf(why);
  return MakeStatus(absl::StatusCode::kUnavailable, reason,
                    StdView(absl::StrCat(
                        "piece ", question.key.id, "-", question.number,
                        " broke off: ", common::status::Sv(common::status::ReasonName(reason)))));
}

// The memory of one message: its share of the budget, until the transport has let go of the last
// buffer. That may be after the server's end.
struct InFlight {
  ByteBudget::Share share;
  std::shared_ptr<MessageBuffers> buffers;
};

// One buffer in the hands of the transport.
struct HandedOut {
  std::shared_ptr<InFlight> in_flight;
  BlockPool::Memory memory;

  static void Release(void* self) {
    const std::unique_ptr<HandedOut> ended(static_cast<HandedOut*>(self));
    ended->in_flight->buffers->GiveBack(std::move(ended->memory));
  }
};

}  // namespace

// One call. Holds itself until gRPC is done with it. Any thread, where nothing else is said.
class GrpcPieceServer::Call final : public ::grpc::ServerUnaryReactor {
 public:
  Call(::grpc::CallbackServerContext* context, ::grpc::ByteBuffer* response,
       async::Executor executor)
      : executor_(executor), context_(context), response_(response), done_(executor) {}

  void HoldItself(const std::shared_ptr<Call>& self) { self_ = self; }

  // Once.
  void Answer(absl::StatusOr<::grpc::ByteBuffer> answer) {
    std::lock_guard lock(mutex_);
    if (answer.ok()) response_->Swap(&*answer);
    Finish(common::rpc::EndCall(*context_, answer.status()));
  }
  void Abort() {
    std::lock_guard lock(mutex_);
    if (!ended_) context_->TryCancel();
  }

  // What follows belongs to the executor. `scope` is cancelled when the caller goes away; null: no
  // more.
  void Bind(async::CancelScope* scope) {
    scope_ = scope;
    if (scope_ != nullptr && caller_gone_) CancelBound();
  }
  // Suspends until gRPC is done with the call, which it soon is once it was answered and aborted.
  async::Co<void> WaitUntilDone() {
    async::CancelScope never(executor_);
    while (!is_done_) {
      absl::Status waited = co_await done_.Wait(never);
      if (!waited.ok()) co_return;
    }
  }
  bool sent_whole() const { return is_done_ && !cancelled_; }

 private:
  void CancelBound() {
    scope_->Cancel(
        MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled, "the child went away"));
  }
  void OnCancel() override {
    async::Post(executor_, [self = self_] {
      self->caller_gone_ = true;
      if (self->scope_ != nullptr) self->CancelBound();
    });
  }
  void OnDone() override {
    bool cancelled = false;
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      cancelled = context_->IsCancelled();
    }
    async::Post(executor_, [self = std::move(self_), cancelled] {
      self->cancelled_ = cancelled;
      self->is_done_ = true;
      self->done_.NotifyAll();
    });
  }

  const async::Executor executor_;
  std::mutex mutex_;  // guards the calls into gRPC, and `ended_`
  ::grpc::CallbackServerContext* const context_;
  ::grpc::ByteBuffer* const response_;
  bool ended_ = false;  // context and response are gone
  std::shared_ptr<Call> self_;

  async::CancelScope* scope_ = nullptr;
  bool caller_gone_ = false;
  async::Signal done_;
  bool is_done_ = false;
  bool cancelled_ = false;
};

struct GrpcPieceServer::Shard {
  explicit Shard(async::Executor the_executor)
      : executor(the_executor), scope(the_executor), group(the_executor) {}
  async::Executor executor;
  async::CancelScope scope;
  async::TaskGroup group;
};

struct GrpcPieceServer::Impl {
  Impl(GrpcPieceServerOptions the_options, PieceProvider& the_provider)
      : options(the_options),
        provider(the_provider),
        budget(ByteBudget::Make(options.max_bytes_in_flight, options.max_waiting)),
        buffers(std::make_shared<MessageBuffers>(options.kept_buffer_bytes)) {}

  async::Co<void> Run(Shard& shard, std::shared_ptr<Call> call, Question question);
  async::Co<absl::StatusOr<std::unique_ptr<ServedPiece>>> Open(async::CancelScope& scope,
                                                               const Question& question);
  async::Co<absl::StatusOr<ByteBudget::Share>> TakeMemory(async::CancelScope& scope,
                                                          uint64_t bytes);
  async::Co<absl::StatusOr<::grpc::ByteBuffer>> Prepare(async::CancelScope& scope,
                                                        const Question& question,
                                                        std::unique_ptr<ServedPiece>& piece);
  async::Co<absl::StatusOr<::grpc::ByteBuffer>> ReadMessage(async::CancelScope& scope,
                                                            const ServedPiece& piece,
                                                            ByteBudget::Share share);

  const GrpcPieceServerOptions options;
  PieceProvider& provider;
  // Shared with what the transport still has of messages when this is gone.
  const std::shared_ptr<ByteBudget> budget;
  const std::shared_ptr<MessageBuffers> buffers;
  GrpcServerStats stats;
  std::vector<std::unique_ptr<Shard>> shards;
  std::atomic<size_t> next_shard{0};
  bool stopped = false;
};

async::Co<absl::StatusOr<std::unique_ptr<ServedPiece>>> GrpcPieceServer::Impl::Open(
    async::CancelScope& scope, const Question& question) {
  async::CancelScope opening(scope, options.open_timeout);
  absl::StatusOr<std::unique_ptr<ServedPiece>> piece =
      co_await provider.Open(opening, question.key, question.number);
  if (scope.cancelled()) co_return scope.status();
  if (!piece.ok()) co_return Refusal(question, piece.status());
  if ((*piece)->head().length > options.max_piece_bytes) {
    co_return MakeStatus(
        absl::StatusCode::kInternal, ErrorReason::kInternal,
        StdView(absl::StrCat("the piece has ", (*piece)->head().length, " bytes, sent are at most ",
                             options.max_piece_bytes)));
  }
  co_return piece;
}

async::Co<absl::StatusOr<ByteBudget::Share>> GrpcPieceServer::Impl::TakeMemory(
    async::CancelScope& scope, uint64_t bytes) {
  std::optional<ByteBudget::Share> at_once = budget->TryTake(bytes);
  if (at_once.has_value()) co_return std::move(*at_once);
  async::CancelScope waiting(scope, options.memory_timeout);
  absl::StatusOr<ByteBudget::Share> share = co_await budget->Take(waiting, bytes);
  if (scope.cancelled()) co_return scope.status();
  if (share.ok()) co_return share;
  ++stats.refused_memory;
  co_return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                       "too many pieces are being sent: try again later");
}

async::Co<absl::StatusOr<::grpc::ByteBuffer>> GrpcPieceServer::Impl::Prepare(
    async::CancelScope& scope, const Question& question, std::unique_ptr<ServedPiece>& piece) {
  absl::StatusOr<std::unique_ptr<ServedPiece>> opened = co_await Open(scope, question);
  if (!opened.ok()) co_return opened.status();
  piece = std::move(*opened);
  // The bandwidth first, block by block as over every transport, so that nobody holds memory while
  // waiting for it.
  const uint64_t length = piece->head().length;
  for (uint64_t done = 0; done < length; done += core::kBlockBytes) {
    absl::Status may =
        co_await provider.Admit(scope, std::min<uint64_t>(core::kBlockBytes, length - done));
    if (scope.cancelled()) co_return scope.status();
    if (!may.ok()) co_return Broken(question, may);
  }
  absl::StatusOr<ByteBudget::Share> share = co_await TakeMemory(scope, length);
  if (!share.ok()) co_return share.status();
  absl::StatusOr<::grpc::ByteBuffer> message =
      co_await ReadMessage(scope, *piece, std::move(*share));
  if (scope.cancelled()) co_return scope.status();
  if (!message.ok()) co_return Broken(question, message.status());
  co_return message;
}

async::Co<absl::StatusOr<::grpc::ByteBuffer>> GrpcPieceServer::Impl::ReadMessage(
    async::CancelScope& scope, const ServedPiece& piece, ByteBudget::Share share) {
  auto in_flight = std::make_shared<InFlight>();
  in_flight->share = std::move(share);
  in_flight->buffers = buffers;
  const uint64_t length = piece.head().length;
  const MessageParts parts = EncodePiece(piece.head());
  std::vector<::grpc::Slice> slices;
  slices.reserve(static_cast<size_t>(length / core::kBlockBytes) + 3);
  slices.emplace_back(parts.before);
  uint64_t this_turn = 0;
  for (uint64_t done = 0; done < length;) {
    const auto size = static_cast<size_t>(std::min<uint64_t>(core::kBlockBytes, length - done));
    auto handed_out = std::make_unique<HandedOut>();
    handed_out->in_flight = in_flight;
    handed_out->memory = buffers->Take();
    std::byte* const memory = handed_out->memory.get();
    slices.emplace_back(memory, size, &HandedOut::Release, handed_out.release());
    absl::Status read = piece.ReadAt(done, std::span(memory, size));
    if (!read.ok()) co_return read;
    done += size;
    this_turn += size;
    if (this_turn < kBytesPerTurn || done == length) continue;
    this_turn = 0;
    absl::Status turn = co_await async::NextTurn(scope);
    if (!turn.ok()) co_return turn;
  }
  slices.emplace_back(parts.after);
  co_return ::grpc::ByteBuffer(slices.data(), slices.size());
}

async::Co<void> GrpcPieceServer::Impl::Run(Shard& shard, std::shared_ptr<Call> call,
                                           Question question) {
  async::CancelScope scope(shard.scope);
  call->Bind(&scope);
  std::unique_ptr<ServedPiece> piece;  // stays open until it was sent
  absl::StatusOr<::grpc::ByteBuffer> message = co_await Prepare(scope, question, piece);
  call->Bind(nullptr);
  if (!message.ok()) ++stats.error_replies;
  const bool sending = message.ok();
  call->Answer(std::move(message));

  const uint64_t length = piece != nullptr ? piece->head().length : 0;
  const absl::Duration limit =
      options.send_grace + absl::Seconds(static_cast<double>(length) /
                                         static_cast<double>(options.min_bytes_per_second));
  async::CancelScope slow(shard.scope, limit);
  const async::CancelScope::Watch cutting = slow.OnCancel([&call] { call->Abort(); });
  co_await call->WaitUntilDone();
  if (!sending) co_return;
  if (call->sent_whole()) {
    piece->OnSent(length);
    stats.piece_bytes_sent += length;
  } else if (absl::IsDeadlineExceeded(slow.status())) {
    ++stats.cut_slow;
  }
}

GrpcPieceServer::GrpcPieceServer(GrpcPieceServerOptions options,
                                 std::vector<async::Executor> executors, PieceProvider& provider)
    : impl_(std::make_unique<Impl>(options, provider)) {
  for (async::Executor executor : executors)
    impl_->shards.push_back(std::make_unique<Shard>(executor));
}

GrpcPieceServer::~GrpcPieceServer() { Stop(); }

::grpc::ServerUnaryReactor* GrpcPieceServer::Serve(TaskKind kind,
                                                   ::grpc::CallbackServerContext* context,
                                                   const ::grpc::ByteBuffer* request,
                                                   ::grpc::ByteBuffer* response) {
  Impl& impl = *impl_;
  ++impl.stats.requests;
  Shard& shard = *impl.shards[impl.next_shard++ % impl.shards.size()];
  auto call = std::make_shared<Call>(context, response, shard.executor);
  call->HoldItself(call);
  if (common::rpc::CallGate* gate = impl.options.gate; gate != nullptr) {
    if (absl::Status admitted = gate->Admit(context->peer()); !admitted.ok()) {
      ++impl.stats.error_replies;
      call->Answer(std::move(admitted));
      return call.get();
    }
  }
  absl::StatusOr<Question> question = ReadQuestionOfKind(kind, *request);
  if (!question.ok()) {
    ++impl.stats.invalid_requests;
    call->Answer(question.status());
    return call.get();
  }
  async::Post(shard.executor, [&impl, &shard, call, question = *std::move(question)] {
    if (shard.scope.cancelled()) {
      call->Answer(Stopping());
      return;
    }
    shard.group.Spawn(impl.Run(shard, call, question));
  });
  return call.get();
}

void GrpcPieceServer::Stop() {
  if (std::exchange(impl_->stopped, true)) return;
  for (auto& shard : impl_->shards) {
    async::RunToEnd(shard->executor, [s = shard.get()]() -> async::Co<void> {
      s->scope.Cancel(Stopping());
      co_await s->group.Join();
    });
  }
}

const GrpcServerStats& GrpcPieceServer::stats() const { return impl_->stats; }

}  // namespace dragonfly::dfdaemon::transfer::grpc
