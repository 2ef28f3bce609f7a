#include "dfdaemon/transfer/grpc/grpc_piece_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/grpc/byte_budget.h"
#include "dfdaemon/transfer/grpc/piece_message.h"
#include "dfdaemon/transfer/head_check.h"
#include "dfdaemon/transfer/vortex/piece_text.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::transfer::grpc {

namespace async = common::async;
using common::id::TaskKind;
using common::net::Endpoint;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::MessageOf;
using common::status::StdView;

namespace {

const char* MethodOf(TaskKind kind) {
  switch (kind) {
    case TaskKind::kPersistent:
      return "/dfdaemon.v2.DfdaemonUpload/DownloadPersistentPiece";
    case TaskKind::kPersistentCache:
      return "/dfdaemon.v2.DfdaemonUpload/DownloadPersistentCachePiece";
    case TaskKind::kStandard:
      break;
  }
  return "/dfdaemon.v2.DfdaemonUpload/DownloadPiece";
}

// The requests of the three RPCs differ in their names, which are not sent.
::grpc::ByteBuffer EncodeRequest(const std::string& host_id, const PieceRequest& request) {
  ::dfdaemon::v2::DownloadPieceRequest message;
  message.set_host_id(host_id);
  message.set_task_id(request.key.id);
  message.set_piece_number(request.number);
  const ::grpc::Slice slice(message.SerializeAsString());
  return ::grpc::ByteBuffer(&slice, 1);
}

// The words of gRPC for a message beyond the channel's limit, which carries no reason of a peer's.
bool IsTooLong(const absl::Status& status) {
  return absl::IsResourceExhausted(status) &&
         MessageOf(status).find("larger than max") != std::string_view::npos;
}

// Which parents do not know the RPCs. Any thread.
class Unimplemented {
 public:
  explicit Unimplemented(absl::Duration forget) : forget_(forget) {}

  bool Contains(const Endpoint& parent, absl::Time now) {
    std::lock_guard lock(mutex_);
    const auto found = since_.find(parent);
    return found != since_.end() && now - found->second < forget_;
  }
  void Add(const Endpoint& parent, absl::Time now) {
    std::lock_guard lock(mutex_);
    if (since_.size() >= kMost) {
      absl::erase_if(since_, [&](const auto& entry) { return now - entry.second >= forget_; });
      // More parents than anybody has: what is forgotten is asked once more.
      if (since_.size() >= kMost) since_.clear();
    }
    since_[parent] = now;
  }

 private:
  static constexpr size_t kMost = 4096;
  const absl::Duration forget_;
  std::mutex mutex_;  // guards what follows
  absl::flat_hash_map<Endpoint, absl::Time> since_;
};

}  // namespace

struct GrpcPieceClient::Impl {
  Impl(GrpcPieceClientOptions the_options, common::rpc::ChannelPool& the_channels,
       const common::os::Clock& the_clock, PieceClient* the_other)
      : options(std::move(the_options)),
        channels(the_channels),
        clock(the_clock),
        other(the_other),
        budget(ByteBudget::Make(options.max_bytes_in_flight, options.max_waiting)),
        unimplemented(options.forget_unimplemented) {}

  const GrpcPieceClientOptions options;
  common::rpc::ChannelPool& channels;
  const common::os::Clock& clock;
  PieceClient* const other;
  const std::shared_ptr<ByteBudget> budget;
  Unimplemented unimplemented;
  GrpcClientStats stats;
};

// One request and its answer.
class GrpcPieceClient::Exchange {
 public:
  Exchange(Impl& impl, async::CancelScope& scope, Endpoint parent, const PieceRequest& request)
      : impl_(impl), scope_(scope), parent_(parent), request_(request) {}

  // UNIMPLEMENTED: the parent does not know the RPC.
  async::Co<absl::Status> Ask();
  async::Co<absl::Status> HandOver(PieceSink& sink);

 private:
  absl::Status Read(::grpc::ByteBuffer answer);
  absl::Status Protocol(std::string_view what) const;
  absl::Status MeaningOf(const absl::Status& failed) const;

  Impl& impl_;
  async::CancelScope& scope_;
  const Endpoint parent_;
  const PieceRequest& request_;  // of Fetch, which awaits both steps
  ByteBudget::Share share_;
  MessageLayout layout_;
  std::vector<::grpc::Slice> slices_;  // of the whole message
};

absl::Status GrpcPieceClient::Exchange::Protocol(std::string_view what) const {
  ++impl_.stats.protocol_violations;
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kParentProtocol,
                    StdView(absl::StrCat("parent ", parent_.ToString(), ", ", PieceName(request_),
                                         ": ", common::status::Sv(what))));
}

// What the end of a call says of the parent. A connection that broke, a parent that stops or that
// failed in the middle: unreachable. Everything else is its answer.
absl::Status GrpcPieceClient::Exchange::MeaningOf(const absl::Status& failed) const {
  if (scope_.cancelled()) return scope_.status();
  if (IsTooLong(failed)) return Protocol("an answer longer than any piece");
  constexpr size_t kMaxShown = 256;
  const std::string shown = vortex::Printable(MessageOf(failed).substr(0, kMaxShown));
  switch (failed.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
      return MakeStatus(
          absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
          absl::StrCat("asking ", parent_.ToString(), " for ", PieceName(request_), ": ", shown));
    default:
      return MakeStatus(
          absl::IsNotFound(failed) ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable,
          ErrorReason::kParentRefused,
          absl::StrCat("parent ", parent_.ToString(), " refused ", PieceName(request_), ": ",
                       shown));
  }
}

async::Co<absl::Status> GrpcPieceClient::Exchange::Ask() {
  // Before anything is asked for: what has arrived is in memory.
  absl::StatusOr<ByteBudget::Share> share =
      co_await impl_.budget->Take(scope_, request_.length + kMessageSlackBytes);
  if (!share.ok()) co_return share.status();
  share_ = std::move(*share);
  common::rpc::CallOptions call;
  call.trace = request_.trace;
  call.timeout = absl::InfiniteDuration();  // how long a piece may take is the scope's business
  ::grpc::GenericStub stub(impl_.channels.Get(parent_));
  const std::string method = MethodOf(request_.key.kind);
  auto starter = [&stub, &method](auto* context, const auto* message, auto* response,
                                  std::function<void(::grpc::Status)> on_done) {
    stub.UnaryCall(context, method, ::grpc::StubOptions(), message, response, std::move(on_done));
  };
  absl::StatusOr<::grpc::ByteBuffer> answer = co_await common::rpc::UnaryCall<::grpc::ByteBuffer>(
      scope_, call, EncodeRequest(impl_.options.host_id, request_), starter);
  if (absl::IsUnimplemented(answer.status()) && impl_.other != nullptr) co_return answer.status();
  if (!answer.ok()) co_return MeaningOf(answer.status());
  co_return Read(*std::move(answer));
}

absl::Status GrpcPieceClient::Exchange::Read(::grpc::ByteBuffer answer) {
  ::grpc::ProtoBufferReader reader(&answer);
  if (!reader.status().ok()) return Protocol("an answer without a message");
  absl::StatusOr<MessageLayout> layout = DecodePiece(reader, impl_.options.max_piece_bytes);
  if (!layout.ok()) return Protocol(MessageOf(layout.status()));
  const std::string contradiction = ContradictionOf(layout->head, request_);
  if (!contradiction.empty()) return Protocol(contradiction);
  if (!layout->head.crc32.has_value()) ++impl_.stats.pieces_without_digest;
  layout_ = *std::move(layout);
  if (!answer.Dump(&slices_).ok()) return Protocol("an answer that cannot be read");
  return absl::OkStatus();
}

async::Co<absl::Status> GrpcPieceClient::Exchange::HandOver(PieceSink& sink) {
  absl::Status taken = sink.OnHead(layout_.head);
  if (!taken.ok()) co_return taken;
  uint64_t to_skip = layout_.content_offset;
  uint64_t done = 0;
  // The transport's slices end anywhere. Whole blocks on whole pages cost less, the copy included,
  // than writing each of them where it happens to fall.
  size_t gathered = 0;
  const BlockPool::Memory block = BlockPool::Allocate(core::kBlockBytes);
  for (::grpc::Slice& held : slices_) {
    const ::grpc::Slice slice = std::exchange(held, ::grpc::Slice());
    std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(slice.begin()),
                                     slice.size());
    const auto skipped = static_cast<size_t>(std::min<uint64_t>(to_skip, bytes.size()));
    to_skip -= skipped;
    bytes = bytes.subspan(skipped);
    while (!bytes.empty() && done < layout_.content_bytes) {
      const auto block_left = static_cast<size_t>(
          std::min<uint64_t>(layout_.content_bytes - done, core::kBlockBytes - gathered));
      const size_t size = std::min(bytes.size(), block_left);
      std::memcpy(block.get() + gathered, bytes.data(), size);
      gathered += size;
      done += size;
      bytes = bytes.subspan(size);
      if (size < block_left) continue;
      taken = sink.OnBytes(std::span(block.get(), gathered), false);
      if (!taken.ok()) co_return taken;
      impl_.stats.piece_bytes_received += gathered;
      gathered = 0;
      if (scope_.cancelled()) co_return scope_.status();
      if (done % kBytesPerTurn != 0) continue;
      absl::Status turn = co_await async::NextTurn(scope_);
      if (!turn.ok()) co_return turn;
    }
  }
  ++impl_.stats.pieces;
  co_return absl::OkStatus();
}

GrpcPieceClient::GrpcPieceClient(GrpcPieceClientOptions options, common::rpc::ChannelPool& channels,
                                 const common::os::Clock& clock, PieceClient* other)
    : impl_(std::make_unique<Impl>(std::move(options), channels, clock, other)) {}

GrpcPieceClient::~GrpcPieceClient() = default;

async::Co<absl::Status> GrpcPieceClient::Fetch(async::CancelScope& scope, PieceTarget target,
                                               PieceRequest request, PieceSink& sink) {
  Impl& impl = *impl_;
  const Endpoint parent = target.rpc_endpoint.value_or(target.endpoint);
  if (impl.other == nullptr || !impl.unimplemented.Contains(parent, impl.clock.Now())) {
    Exchange exchange(impl, scope, parent, request);
    absl::Status status = co_await exchange.Ask();
    if (status.ok()) {
      status = co_await exchange.HandOver(sink);
      co_return status;
    }
    if (impl.other == nullptr || !absl::IsUnimplemented(status)) co_return status;
    impl.unimplemented.Add(parent, impl.clock.Now());
  }
  ++impl.stats.left_to_other_transport;
  absl::Status fetched = co_await impl.other->Fetch(scope, target, std::move(request), sink);
  co_return fetched;
}

const GrpcClientStats& GrpcPieceClient::stats() const { return impl_->stats; }

}  // namespace dragonfly::dfdaemon::transfer::grpc
