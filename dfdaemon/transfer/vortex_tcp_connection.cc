#include "dfdaemon/transfer/vortex_tcp_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/task_group.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::transfer {

namespace async = common::async;
using common::status::ErrorReason;
using common::status::MakeStatus;

namespace {

bool IsTaskId(std::string_view id) {
  return std::ranges::all_of(
      id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string PieceName(const vortex::Request& request) {
  return absl::StrCat(request.key.id, "-", request.number);
}

vortex::Metadata MetadataOf(const PieceHead& head) {
  vortex::Metadata metadata;
  metadata.number = head.number;
  metadata.offset = head.offset;
  metadata.length = head.length;
  metadata.crc32 = head.crc32;
  metadata.parent_id = head.parent_id;
  metadata.cost_seconds =
      static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Seconds(head.cost), 0));
  metadata.created_at_unix = absl::ToUnixSeconds(head.created_at);
  return metadata;
}

// While a reply is half sent, every end of the connection, this process's death included, is to be
// a reset: a FIN would tell the child that the piece was that short.
void SetResetOnClose(int fd, bool reset) {
  linger value{};
  value.l_onoff = reset ? 1 : 0;
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
}

}  // namespace

VortexTcpConnection::VortexTcpConnection(async::CancelScope& parent,
                                         std::unique_ptr<async::TcpStream> stream,
                                         const VortexTcpServerOptions& options,
                                         PieceProvider& provider, BlockPool& pool,
                                         VortexServerStats& stats)
    : scope_(parent),
      stream_(std::move(stream)),
      options_(options),
      provider_(provider),
      pool_(pool),
      stats_(stats),
      watch_(scope_),
      requests_(scope_.executor(), std::max<size_t>(options.max_pipelined_requests, 1)) {}

async::Co<void> VortexTcpConnection::Run() {
  watch_.Expect(options_.first_request_timeout, "first request");
  absl::Status ended = co_await ReadFirstPacket();
  const bool asked = ended.ok();
  if (asked) {
    if (keepalive_) {
      co_await ServePipeline();
    } else {
      std::optional<vortex::Request> request = requests_.TryPop();  // which was just queued
      if (request.has_value()) ended = co_await Serve(std::move(*request));
      if (ended.ok()) stream_->ShutdownWrite();
    }
  }
  if (absl::IsDeadlineExceeded(scope_.status())) {
    ++stats_.timeouts;
    if (!asked) Tell(common::limit::Limit::kSlowRequest);
  }
}

void VortexTcpConnection::Violated() {
  ++stats_.protocol_violations;
  Tell(common::limit::Limit::kFrame);
}

void VortexTcpConnection::Tell(common::limit::Limit limit) const {
  if (options_.report != nullptr)
    options_.report->Exceeded(limit, kPieceListener, stream_->peer().ip.ToString());
}

void VortexTcpConnection::Drain() {
  draining_ = true;
  if (unanswered_ > 0) return;
  scope_.Cancel(
      MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kShutdown, "the piece server stops"));
}

// Either the request of an upstream child, or the preface of one of ours.
async::Co<absl::Status> VortexTcpConnection::ReadFirstPacket() {
  absl::Status read = co_await ReadRequestHeader();
  if (!read.ok()) co_return read;
  if (!vortex::IsKeepalivePrefaceHeader(next_header_)) {
    read = co_await ReadRequestValue(next_header_);
    co_return read;
  }
  std::array<std::byte, vortex::kKeepalivePreface.size()> value{};
  read = co_await stream_->ReadExactly(scope_, value);
  if (!read.ok()) co_return read;
  if (std::memcmp(value.data(), vortex::kKeepalivePreface.data(), value.size()) != 0) {
    Violated();
    co_return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                         "vortex: a preface of another version");
  }
  keepalive_ = true;
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpConnection::ReadRequestHeader() {
  std::array<std::byte, vortex::kHeaderBytes> bytes{};
  absl::Status read = co_await stream_->ReadExactly(scope_, bytes);
  if (!read.ok()) co_return read;
  next_header_ = vortex::DecodeHeader(bytes);
  co_return absl::OkStatus();
}

// Reads and queues the request that `header` begins.
async::Co<absl::Status> VortexTcpConnection::ReadRequestValue(vortex::Header header) {
  absl::Status checked = vortex::CheckRequestHeader(header);
  if (checked.ok() && in_flight_.test(header.packet_id)) {
    checked = MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                         "vortex: packet id of a request that is not answered yet");
  }
  if (!checked.ok()) {
    Violated();
    co_return checked;
  }
  std::array<std::byte, vortex::kRequestValueBytes> value{};
  absl::Status read = co_await stream_->ReadExactly(scope_, value);
  if (!read.ok()) co_return read;
  absl::StatusOr<vortex::Request> request = vortex::DecodeRequest(header, value);
  if (!request.ok()) {
    Violated();
    co_return request.status();
  }
  ++stats_.requests;
  ++unanswered_;
  in_flight_.set(header.packet_id);
  // Full: the rest stays in the socket, and TCP tells the child.
  absl::Status pushed = co_await requests_.Push(scope_, std::move(*request));
  co_return pushed;
}

async::Co<void> VortexTcpConnection::ReadRequests() {
  absl::Status read;
  while (read.ok() && !draining_) {
    read = co_await ReadRequestHeader();
    if (read.ok()) read = co_await ReadRequestValue(next_header_);
  }
  // A child that says it is done (FIN) gets what it asked for; one that broke the rules, or whose
  // connection did, does not.
  const bool finished = read.ok() || absl::IsOutOfRange(read);
  requests_.Close();
  if (!finished) scope_.Cancel(std::move(read));
}

async::Co<void> VortexTcpConnection::ServePipeline() {
  async::TaskGroup reading(scope_.executor());
  reading.Spawn(ReadRequests());
  bool whole = true;  // nothing is half sent
  while (true) {
    if (unanswered_ == 0) watch_.Expect(options_.idle_timeout, "next request");
    absl::StatusOr<vortex::Request> request = co_await requests_.Pop(scope_);
    if (!request.ok()) break;
    absl::Status served = co_await Serve(std::move(*request));
    whole = served.ok();
    if (!whole) break;
    if (draining_ && unanswered_ == 0) break;
  }
  if (whole && !scope_.cancelled()) stream_->ShutdownWrite();
  scope_.Cancel(
      MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled, "the connection is done"));
  co_await reading.Join();
}

async::Co<absl::Status> VortexTcpConnection::Serve(vortex::Request request) {
  watch_.Expect(absl::InfiniteDuration(), "piece");
  absl::StatusOr<std::unique_ptr<ServedPiece>> piece =
      MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, "no task has such an id");
  if (IsTaskId(request.key.id)) {
    async::CancelScope opening(scope_, options_.open_timeout);
    piece = co_await provider_.Open(opening, request.key, request.number);
  }
  absl::Status sent = scope_.status();
  if (sent.ok()) {
    watch_.Expect(options_.write_stall_timeout, "reply");
    in_flight_.reset(request.packet_id);  // the child may use it again when it sees the reply
    if (piece.ok()) {
      SetResetOnClose(stream_->fd(), true);
      sent = co_await SendPiece(std::move(request), **piece);
      if (sent.ok()) SetResetOnClose(stream_->fd(), false);
    } else {
      sent = co_await SendError(std::move(request), piece.status());
    }
  }
  --unanswered_;
  co_return sent;
}

async::Co<absl::Status> VortexTcpConnection::SendError(vortex::Request request, absl::Status why) {
  ++stats_.error_replies;
  std::vector<std::byte> packet;
  if (absl::IsNotFound(why)) {
    packet = vortex::EncodeError(request.packet_id, vortex::ErrorCode::kNotFound,
                                 absl::StrCat("piece ", PieceName(request), " not found"));
  } else {
    // The reason and not the message, which may name files of this node.
    const std::string_view reason = common::status::ReasonName(common::status::ReasonOf(why));
    packet = vortex::EncodeError(
        request.packet_id, vortex::ErrorCode::kInternal,
        absl::StrCat("piece ", PieceName(request), ": ", common::status::Sv(reason)));
  }
  absl::Status written = co_await stream_->WriteAll(scope_, packet);
  co_return written;
}

async::Co<absl::Status> VortexTcpConnection::SendPiece(vortex::Request request,
                                                       ServedPiece& piece) {
  std::vector<std::byte> head =
      vortex::EncodeContentHead(request.packet_id, request.key.kind, MetadataOf(piece.head()));
  absl::Status sent;
  if (options_.send_engine == SendEngine::kSendFile && piece.fd() >= 0) {
    sent = co_await SendByFile(std::move(head), piece);
  } else {
    sent = co_await SendByRead(std::move(head), piece);
  }
  co_return sent;
}

async::Co<absl::Status> VortexTcpConnection::SendByRead(std::vector<std::byte> head,
                                                        ServedPiece& piece) {
  const uint64_t length = piece.head().length;
  // The head goes right before the first bytes, so that both leave in one call while the reads stay
  // aligned to pages.
  const size_t headroom = std::min(BlockPool::kHeadroom, pool_.block_bytes() / 2);
  const uint64_t chunk = pool_.block_bytes() - headroom;
  std::span<const std::byte> head_left(head);
  uint64_t done = 0;
  uint64_t admitted = 0;
  size_t this_turn = 0;
  while (!head_left.empty() || done < length) {
    if (admitted == done && done < length) {
      const uint64_t more = std::min(chunk, length - done);
      watch_.Expect(absl::InfiniteDuration(), "upload limit");
      absl::Status may = co_await provider_.Admit(scope_, more);
      if (!may.ok()) co_return may;
      watch_.Expect(options_.write_stall_timeout, "child to take the piece");
      admitted += more;
    }
    absl::StatusOr<BlockPool::Block> block = co_await pool_.Acquire(scope_);
    if (!block.ok()) co_return block.status();
    const std::span<std::byte> bytes = block->bytes();
    const auto size = static_cast<size_t>(admitted - done);
    if (size > 0) {
      absl::Status read = piece.ReadAt(done, bytes.subspan(headroom, size));
      if (!read.ok()) co_return read;
    }
    std::span<const std::byte> out = bytes.subspan(headroom, size);
    if (!head_left.empty() && head_left.size() <= headroom) {
      std::ranges::copy(head_left,
                        bytes.begin() + static_cast<std::ptrdiff_t>(headroom - head_left.size()));
      out = bytes.subspan(headroom - head_left.size(), head_left.size() + size);
    } else if (!head_left.empty()) {
      out = head_left;  // a head of thousands of bytes goes alone
    }
    while (!out.empty()) {
      absl::StatusOr<size_t> wrote = stream_->TryWrite(out);
      if (!wrote.ok()) co_return wrote.status();
      if (*wrote > 0) {
        const size_t of_head = std::min(*wrote, head_left.size());
        head_left = head_left.subspan(of_head);
        done += *wrote - of_head;
        stats_.piece_bytes_sent += *wrote - of_head;
        piece.OnSent(*wrote - of_head);
        out = out.subspan(*wrote);
        this_turn += *wrote;
        watch_.Progress();
      }
      if (*wrote > 0 && this_turn < kBytesPerTurn) continue;
      this_turn = 0;
      // No buffer is held while waiting for a child: with all of them held by slow ones, nobody
      // else could be served. What was not sent is read again.
      *block = BlockPool::Block();
      absl::Status writable = co_await stream_->WaitWritable(scope_);
      if (!writable.ok()) co_return writable;
      break;
    }
  }
  co_return absl::OkStatus();
}

async::Co<absl::Status> VortexTcpConnection::SendByFile(std::vector<std::byte> head,
                                                        ServedPiece& piece) {
  const uint64_t length = piece.head().length;
  stream_->Cork(true);
  absl::Status sent = co_await stream_->WriteAll(scope_, head);
  uint64_t done = 0;
  while (sent.ok() && done < length) {
    const uint64_t more = std::min<uint64_t>(kBytesPerTurn, length - done);
    watch_.Expect(absl::InfiniteDuration(), "upload limit");
    sent = co_await provider_.Admit(scope_, more);
    if (!sent.ok()) break;
    watch_.Expect(options_.write_stall_timeout, "child to take the piece");
    sent = co_await stream_->SendFile(scope_, piece.fd(), piece.file_offset() + done, more);
    if (!sent.ok()) break;
    done += more;
    stats_.piece_bytes_sent += more;
    piece.OnSent(more);
    watch_.Progress();
  }
  if (sent.ok()) stream_->Cork(false);
  co_return sent;
}

}  // namespace dragonfly::dfdaemon::transfer
