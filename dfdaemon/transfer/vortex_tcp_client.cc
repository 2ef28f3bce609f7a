#include "dfdaemon/transfer/vortex_tcp_client.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/tcp.h"
#include "common/crypto/tls_stream.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/transfer/head_check.h"
#include "dfdaemon/transfer/idle_streams.h"

namespace dragonfly::dfdaemon::transfer {

namespace async = common::async;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::MessageOf;
using common::status::StdView;

namespace {

PieceHead HeadOf(vortex::Metadata metadata) {
  PieceHead head;
  head.number = metadata.number;
  head.offset = metadata.offset;
  head.length = metadata.length;
  head.crc32 = metadata.crc32;
  head.parent_id = std::move(metadata.parent_id);
  constexpr uint64_t kCentury = uint64_t{100} * 366 * 24 * 3600;
  head.cost = absl::Seconds(std::min(metadata.cost_seconds, kCentury));
  head.created_at = absl::FromUnixSeconds(metadata.created_at_unix);
  return head;
}

}  // namespace

// One request and its reply on one stream.
class VortexTcpClient::Connection {
 public:
  Connection(Impl& impl, async::CancelScope& scope, PieceTarget target, const PieceRequest& request)
      : impl_(impl), scope_(scope), target_(target), request_(request) {}

  async::Co<absl::Status> Run(Shard* shard, PieceSink& sink);

 private:
  async::Co<absl::Status> Open();
  async::Co<absl::Status> Ask(bool fresh);
  async::Co<absl::Status> ReadHeader();
  async::Co<absl::Status> ReadError();
  async::Co<absl::Status> ReadMetadata();
  async::Co<absl::Status> ReadBody(PieceSink& sink);
  absl::Status Protocol(std::string_view what) const;
  absl::Status Broken(const absl::Status& status, std::string_view doing) const;

  Impl& impl_;
  async::CancelScope& scope_;
  const PieceTarget target_;
  const PieceRequest& request_;  // of Fetch, which awaits Run
  std::unique_ptr<async::TcpStream> stream_;
  uint8_t packet_id_ = 0;
  vortex::Header header_;  // of the reply
  PieceHead head_;
  bool answered_ = false;  // a first byte has come
  bool reusable_ = false;  // at the end of a reply
};

struct VortexTcpClient::Shard {
  Shard(async::Executor the_executor, IdleStreams::Options options)
      : executor(the_executor), idle(the_executor, options) {}
  async::Executor executor;
  IdleStreams idle;
};

struct VortexTcpClient::Impl {
  Impl(VortexTcpClientOptions the_options, BlockPool& the_pool)
      : options(std::move(the_options)), pool(the_pool) {
    if (options.tls) tls.emplace(options.tls);
  }

  // Null on an executor that keeps no connections.
  Shard* ShardOf(async::Executor executor) {
    for (auto& shard : shards) {
      if (shard->executor == executor) return shard.get();
    }
    return nullptr;
  }

  const VortexTcpClientOptions options;
  BlockPool& pool;
  std::optional<common::crypto::TlsClient> tls;
  VortexClientStats stats;
  std::vector<std::unique_ptr<Shard>> shards;
  std::atomic<uint8_t> next_packet_id{0};
};

absl::Status VortexTcpClient::Connection::Protocol(std::string_view what) const {
  ++impl_.stats.protocol_violations;
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kParentProtocol,
                    StdView(absl::StrCat("parent ", target_.endpoint.ToString(), ", ",
                                         PieceName(request_), ": ", common::status::Sv(what))));
}

// What a failed socket operation means for the parent; the scope's own end is no fault of it.
absl::Status VortexTcpClient::Connection::Broken(const absl::Status& status,
                                                 std::string_view doing) const {
  if (scope_.cancelled()) return scope_.status();
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kParentUnreachable,
                    StdView(absl::StrCat(common::status::Sv(doing), " ", PieceName(request_), ": ",
                                         status.message())));
}

async::Co<absl::Status> VortexTcpClient::Connection::Run(Shard* shard, PieceSink& sink) {
  bool fresh = true;
  if (target_.keepalive && shard != nullptr) {
    stream_ = shard->idle.Take(target_.endpoint, target_.tls);
    fresh = stream_ == nullptr;
  }
  absl::Status status;
  if (!fresh) {
    ++impl_.stats.connections_reused;
    status = co_await Ask(false);
    if (status.ok()) status = co_await ReadHeader();
    // The parent may have closed it at the very moment: that says nothing about the parent.
    if (!status.ok() && !answered_ && !scope_.cancelled()) fresh = true;
  }
  if (fresh) {
    status = co_await Open();
    if (status.ok()) status = co_await Ask(true);
    if (status.ok()) status = co_await ReadHeader();
  }
  if (!status.ok()) co_return status;
  if (header_.Is(vortex::Tag::kError)) {
    status = co_await ReadError();
  } else {
    status = co_await ReadMetadata();
    if (status.ok()) {
      // Upstream's child says here that it is done; a parent must go on sending all the same.
      if (!target_.keepalive) stream_->ShutdownWrite();
      status = sink.OnHead(head_);
    }
    if (status.ok()) status = co_await ReadBody(sink);
  }
  if (reusable_ && target_.keepalive && shard != nullptr) {
    stream_->SetReadLowWater(1);
    shard->idle.Put(std::move(stream_));
  }
  co_return status;
}

async::Co<absl::Status> VortexTcpClient::Connection::Open() {
  async::CancelScope connecting(scope_, impl_.options.connect_timeout);
  async::TcpStream::Options stream_options;
  absl::StatusOr<std::unique_ptr<async::TcpStream>> stream =
      co_await async::TcpStream::Connect(connecting, target_.endpoint, stream_options);
  if (!stream.ok()) co_return Broken(stream.status(), "connecting for");
  if (target_.tls) {
    if (!impl_.tls) {
      co_return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInternal,
                           "a parent that speaks TLS was chosen, but this node has no certificate");
    }
    stream = co_await impl_.tls->Handshake(connecting, *std::move(stream),
                                           target_.endpoint.ip.ToString());
    if (!stream.ok()) co_return Broken(stream.status(), "connecting for");
  }
  ++impl_.stats.connections_opened;
  stream_ = std::move(*stream);
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpClient::Connection::Ask(bool fresh) {
  packet_id_ = impl_.next_packet_id.fetch_add(1, std::memory_order_relaxed);
  vortex::Request request;
  request.packet_id = packet_id_;
  request.key = request_.key;
  request.number = request_.number;
  const auto packet = vortex::EncodeRequest(request);
  if (!packet.ok()) co_return packet.status();
  std::vector<std::byte> bytes;
  if (fresh && target_.keepalive) bytes = vortex::EncodeKeepalivePreface(packet_id_);
  bytes.insert(bytes.end(), packet->begin(), packet->end());
  absl::Status sent = co_await stream_->WriteAll(scope_, bytes);
  if (!sent.ok()) co_return Broken(sent, "asking for");
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpClient::Connection::ReadHeader() {
  std::array<std::byte, vortex::kHeaderBytes> bytes{};
  absl::Status read = co_await stream_->ReadExactly(scope_, bytes);
  if (!read.ok()) {
    answered_ = absl::IsDataLoss(read);
    co_return Broken(read, "waiting for");
  }
  answered_ = true;
  header_ = vortex::DecodeHeader(bytes);
  const bool content = header_.Is(vortex::ContentTag(request_.key.kind));
  if (!content && !header_.Is(vortex::Tag::kError))
    co_return Protocol(absl::StrCat("reply with tag ", header_.tag));
  // Upstream's servers put anything here; ours echo it where several requests share a connection.
  if (target_.keepalive && header_.packet_id != packet_id_)
    co_return Protocol("reply to another request");
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpClient::Connection::ReadError() {
  absl::Status checked = vortex::CheckErrorLength(header_.length);
  if (!checked.ok()) co_return Protocol(MessageOf(checked));
  std::vector<std::byte> value(header_.length);
  absl::Status read = co_await stream_->ReadExactly(scope_, value);
  if (!read.ok()) co_return Broken(read, "reading the error for");
  absl::StatusOr<vortex::Error> error = vortex::DecodeError(value);
  if (!error.ok()) co_return Protocol(MessageOf(error.status()));
  reusable_ = true;
  const bool not_found = error->code == vortex::ErrorCode::kNotFound;
  constexpr size_t kMaxShown = 256;
  co_return MakeStatus(
      not_found ? absl::StatusCode::kNotFound : absl::StatusCode::kUnavailable,
      ErrorReason::kParentRefused,
      absl::StrCat("parent ", target_.endpoint.ToString(), " refused ", PieceName(request_), ": ",
                   error->message.substr(0, kMaxShown)));
}

async::Co<absl::Status> VortexTcpClient::Connection::ReadMetadata() {
  std::array<std::byte, vortex::kMetadataLengthBytes> length_bytes{};
  absl::Status read = co_await stream_->ReadExactly(scope_, length_bytes);
  if (!read.ok()) co_return Broken(read, "reading the head of");
  absl::StatusOr<uint32_t> length = vortex::DecodeMetadataLength(length_bytes);
  if (!length.ok()) co_return Protocol(MessageOf(length.status()));
  std::vector<std::byte> bytes(*length);
  read = co_await stream_->ReadExactly(scope_, bytes);
  if (!read.ok()) co_return Broken(read, "reading the head of");
  absl::StatusOr<vortex::Metadata> metadata =
      vortex::DecodeMetadata(bytes, impl_.options.max_piece_bytes);
  if (!metadata.ok()) co_return Protocol(MessageOf(metadata.status()));
  head_ = HeadOf(std::move(*metadata));
  const std::string contradiction = ContradictionOf(head_, request_);
  if (!contradiction.empty()) co_return Protocol(contradiction);
  if (!head_.crc32.has_value()) ++impl_.stats.pieces_without_digest;
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpClient::Connection::ReadBody(PieceSink& sink) {
  uint64_t done = 0;
  size_t this_turn = 0;
  size_t low_water = 1;
  bool wait = false;
  while (done < request_.length) {
    const uint64_t left = request_.length - done;
    if (wait || this_turn >= kBytesPerTurn) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(left, impl_.options.read_low_water));
      if (want != low_water && want > 0) stream_->SetReadLowWater(low_water = want);
      absl::Status readable = co_await stream_->WaitReadable(scope_);
      if (!readable.ok()) co_return Broken(readable, "reading");
      wait = false;
      this_turn = 0;
    }
    absl::StatusOr<BlockPool::Block> block = co_await impl_.pool.Acquire(scope_);
    if (!block.ok()) co_return block.status();
    // Never beyond the end of a block of the piece: what is written to disk stays aligned.
    const uint64_t to_boundary = core::kBlockBytes - done % core::kBlockBytes;
    const auto want =
        static_cast<size_t>(std::min<uint64_t>({left, to_boundary, block->bytes().size()}));
    absl::StatusOr<size_t> got = stream_->TryRead(block->bytes().first(want));
    if (!got.ok()) {
      if (!absl::IsOutOfRange(got.status())) co_return Broken(got.status(), "reading");
      co_return Protocol(absl::StrCat("ended after ", done, " of ", request_.length, " bytes"));
    }
    if (*got == 0) {
      wait = true;
      continue;
    }
    impl_.stats.piece_bytes_received += *got;
    absl::Status taken = sink.OnBytes(block->bytes().first(*got), false);
    if (!taken.ok()) co_return taken;
    done += *got;
    this_turn += *got;
    wait = *got < want;
  }
  ++impl_.stats.pieces;
  reusable_ = true;
  co_return absl::OkStatus();
}

VortexTcpClient::VortexTcpClient(VortexTcpClientOptions options,
                                 std::vector<async::Executor> executors, BlockPool& pool)
    : impl_(std::make_unique<Impl>(options, pool)) {
  IdleStreams::Options idle;
  idle.max_per_target = options.max_idle_per_target;
  idle.max_total = options.max_idle;
  idle.idle_timeout = options.idle_timeout;
  for (async::Executor executor : executors)
    impl_->shards.push_back(std::make_unique<Shard>(executor, idle));
}

VortexTcpClient::~VortexTcpClient() { Stop(); }

void VortexTcpClient::Stop() {
  for (auto& shard : impl_->shards) {
    async::RunToEnd(shard->executor, [s = shard.get()]() -> async::Co<void> {
      s->idle.Clear();
      co_return;
    });
  }
  impl_->shards.clear();
}

async::Co<absl::Status> VortexTcpClient::Fetch(async::CancelScope& scope, PieceTarget target,
                                               PieceRequest request, PieceSink& sink) {
  if (request.length > std::min(impl_->options.max_piece_bytes, vortex::kAbsoluteMaxPieceBytes)) {
    co_return MakeStatus(
        absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
        absl::StrCat(PieceName(request), " has ", request.length, " bytes, more than the ",
                     impl_->options.max_piece_bytes, " that are configured"));
  }
  Connection connection(*impl_, scope, target, request);
  absl::Status fetched = co_await connection.Run(impl_->ShardOf(scope.executor()), sink);
  co_return fetched;
}

const VortexClientStats& VortexTcpClient::stats() const { return impl_->stats; }

}  // namespace dragonfly::dfdaemon::transfer
