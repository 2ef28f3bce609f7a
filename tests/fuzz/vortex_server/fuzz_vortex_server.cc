// What a child sends to the piece server, cut anywhere: each request that is whole gets its reply,
// in order and under its own packet id, a child that breaks the rules gets no more, and nothing
// stays behind.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/tcp.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/vortex/codec.h"
#include "dfdaemon/transfer/vortex_tcp_connection.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace async = common::async;
namespace transfer = dfdaemon::transfer;
namespace vortex = dfdaemon::transfer::vortex;
using async::Co;
using Bytes = std::span<const std::byte>;

// The pieces that there are: number n of any task has so many bytes, and there are four.
constexpr uint32_t kPieces = 4;
uint64_t LengthOf(uint32_t number) { return uint64_t{number} * 250; }
std::byte ByteOf(uint32_t number) { return static_cast<std::byte>(0xA0U + number); }

class Piece final : public transfer::ServedPiece {
 public:
  explicit Piece(uint32_t number, int& open) : open_(open) {
    ++open_;
    head_.number = number;
    head_.length = LengthOf(number);
    head_.crc32 = number;
    head_.created_at = absl::UnixEpoch();
  }
  ~Piece() override { --open_; }
  const transfer::PieceHead& head() const override { return head_; }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    FUZZ_CHECK(offset <= head_.length && out.size() <= head_.length - offset);
    std::ranges::fill(out, ByteOf(head_.number));
    return absl::OkStatus();
  }
  int fd() const override { return -1; }
  uint64_t file_offset() const override { return 0; }
  void OnSent(uint64_t bytes) override { sent_ += bytes; }

 private:
  transfer::PieceHead head_;
  uint64_t sent_ = 0;
  int& open_;
};

class Provider final : public transfer::PieceProvider {
 public:
  Co<absl::StatusOr<std::unique_ptr<transfer::ServedPiece>>> Open(async::CancelScope&,
                                                                  common::id::TaskKey key,
                                                                  uint32_t number) override {
    // A name of a file, one day: nothing but hexadecimal digits gets here.
    FUZZ_CHECK(key.id.size() == vortex::kTaskIdBytes &&
               key.id.find_first_not_of("0123456789abcdef") == std::string::npos);
    if (number >= kPieces) co_return absl::NotFoundError("no such piece");
    co_return std::make_unique<Piece>(number, open);
  }
  Co<absl::Status> Admit(async::CancelScope&, uint64_t) override { co_return absl::OkStatus(); }
  int open = 0;
};

// A child: what it sends, in what portions, and all that it was sent.
class Child final : public async::TcpStream {
 public:
  Child(std::vector<std::byte> sends, size_t portion, std::vector<std::byte>& got)
      : sends_(std::move(sends)), portion_(portion), got_(got) {}

  Co<absl::StatusOr<size_t>> ReadSome(async::CancelScope& scope,
                                      std::span<std::byte> out) override {
    absl::Status turn = co_await async::NextTurn(scope);
    if (!turn.ok()) co_return turn;
    absl::StatusOr<size_t> read = TryRead(out);
    co_return read;
  }
  Co<absl::Status> WriteAll(async::CancelScope& scope, Bytes data) override {
    absl::Status turn = co_await async::NextTurn(scope);
    if (turn.ok()) got_.insert(got_.end(), data.begin(), data.end());
    co_return turn;
  }
  absl::StatusOr<size_t> TryRead(std::span<std::byte> out) override {
    const size_t size = std::min({out.size(), portion_, sends_.size() - done_});
    if (size == 0) return absl::OutOfRangeError("the child has finished");
    std::copy_n(sends_.begin() + static_cast<std::ptrdiff_t>(done_), size, out.begin());
    done_ += size;
    return size;
  }
  absl::StatusOr<size_t> TryWrite(Bytes data) override {
    FUZZ_CHECK(!data.empty() && !finished_);
    // Full now and then.
    full_ = !full_;
    if (full_) return size_t{0};
    const size_t size = std::min(data.size(), portion_);
    got_.insert(got_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }
  Co<absl::Status> WaitReadable(async::CancelScope& scope) override {
    absl::Status turn = co_await async::NextTurn(scope);
    co_return turn;
  }
  Co<absl::Status> WaitWritable(async::CancelScope& scope) override {
    absl::Status turn = co_await async::NextTurn(scope);
    co_return turn;
  }
  void SetReadLowWater(size_t) override {}
  Co<absl::Status> SendFile(async::CancelScope&, int, uint64_t, uint64_t) override {
    FUZZ_CHECK(false);
    co_return absl::OkStatus();
  }
  void Cork(bool) override {}
  void ShutdownWrite() override { finished_ = true; }
  void Close() override {}
  const common::net::Endpoint& peer() const override { return peer_; }
  int fd() const override { return -1; }

 private:
  const std::vector<std::byte> sends_;
  const size_t portion_;
  std::vector<std::byte>& got_;
  size_t done_ = 0;
  bool full_ = false;
  bool finished_ = false;
  const common::net::Endpoint peer_;
};

// What the rules say of the bytes of a child, without a connection.
struct Expected {
  std::vector<vortex::Request> requests;  // that are whole
  bool keeps_the_rules = true;
};

Expected Read(Bytes bytes) {
  Expected expected;
  bool keepalive = false;
  for (bool first = true; bytes.size() >= vortex::kHeaderBytes; first = false) {
    const vortex::Header header = vortex::DecodeHeader(bytes.first<vortex::kHeaderBytes>());
    bytes = bytes.subspan(vortex::kHeaderBytes);
    if (first && vortex::IsKeepalivePrefaceHeader(header)) {
      const std::string_view want = vortex::kKeepalivePreface;
      if (bytes.size() < want.size()) return expected;
      expected.keeps_the_rules = std::ranges::equal(bytes.first(want.size()), BytesOf(want));
      if (!expected.keeps_the_rules) return expected;
      keepalive = true;
      bytes = bytes.subspan(want.size());
      continue;
    }
    if (!vortex::CheckRequestHeader(header).ok()) {
      expected.keeps_the_rules = false;
      return expected;
    }
    if (bytes.size() < vortex::kRequestValueBytes) {
      expected.keeps_the_rules = bytes.empty() && !keepalive;
      return expected;
    }
    const auto request = vortex::DecodeRequest(header, bytes.first<vortex::kRequestValueBytes>());
    if (!request.ok()) {
      expected.keeps_the_rules = false;
      return expected;
    }
    expected.requests.push_back(*request);
    bytes = bytes.subspan(vortex::kRequestValueBytes);
    if (!keepalive) return expected;
  }
  if (!bytes.empty()) expected.keeps_the_rules = false;
  return expected;
}

// Takes the reply to `request` off the front of `bytes`; false: it is not whole.
bool TakeReply(const vortex::Request& request, Bytes& bytes) {
  if (bytes.size() < vortex::kHeaderBytes) return false;
  const vortex::Header header = vortex::DecodeHeader(bytes.first<vortex::kHeaderBytes>());
  FUZZ_CHECK(header.packet_id == request.packet_id);
  bytes = bytes.subspan(vortex::kHeaderBytes);
  if (header.Is(vortex::Tag::kError)) {
    if (bytes.size() < header.length) return false;
    FUZZ_CHECK(vortex::DecodeError(bytes.first(header.length)).ok());
    bytes = bytes.subspan(header.length);
    return true;
  }
  FUZZ_CHECK(header.Is(vortex::ContentTag(request.key.kind)) && request.number < kPieces);
  if (bytes.size() < vortex::kMetadataLengthBytes) return false;
  const auto length = vortex::DecodeMetadataLength(bytes.first<vortex::kMetadataLengthBytes>());
  FUZZ_CHECK(length.ok());
  bytes = bytes.subspan(vortex::kMetadataLengthBytes);
  const uint64_t piece = LengthOf(request.number);
  if (bytes.size() < *length + piece) return false;
  const auto metadata = vortex::DecodeMetadata(bytes.first(*length), vortex::kDefaultMaxPieceBytes);
  FUZZ_CHECK(metadata.ok() && metadata->number == request.number && metadata->length == piece);
  const Bytes content = bytes.subspan(*length, piece);
  FUZZ_CHECK(
      std::ranges::all_of(content, [&](std::byte byte) { return byte == ByteOf(request.number); }));
  bytes = bytes.subspan(*length + piece);
  return true;
}

async::Executor OneThread() {
  static auto* const kRuntime = new async::Runtime(1, "fuzz");
  return kRuntime->executor(0);
}

// `block_bytes`: of the buffers that pieces are sent from; the longest does not fit into one.
void TryChild(std::vector<std::byte> sends, size_t portion, size_t block_bytes) {
  const Expected expected = Read(sends);
  const transfer::VortexTcpServerOptions options;
  transfer::BlockPool pool(block_bytes, block_bytes * 2);
  transfer::VortexServerStats stats;
  Provider provider;
  std::vector<std::byte> got;
  const async::Executor executor = OneThread();
  async::RunToEnd(executor, [&]() -> Co<void> {
    async::CancelScope scope(executor);
    auto child = std::make_unique<Child>(std::move(sends), portion, got);
    transfer::VortexTcpConnection connection(scope, std::move(child), options, provider, pool,
                                             stats);
    co_await connection.Run();
  });
  FUZZ_CHECK(provider.open == 0 && pool.in_use() == 0);
  Bytes left = got;
  size_t replies = 0;
  while (replies < expected.requests.size() && TakeReply(expected.requests[replies], left)) {
    ++replies;
  }
  // A request may repeat the packet id of one that waits, which breaks the rules, too; whether it
  // still waits depends on the time.
  if (!expected.keeps_the_rules || stats.protocol_violations > 0) return;
  FUZZ_CHECK(replies == expected.requests.size());
  FUZZ_CHECK(left.empty());
}

std::vector<std::byte> SentBy(FuzzedDataProvider& input) {
  std::vector<std::byte> sent;
  const auto append = [&](Bytes bytes) { sent.insert(sent.end(), bytes.begin(), bytes.end()); };
  if (input.ConsumeBool()) append(vortex::EncodeKeepalivePreface(input.ConsumeIntegral<uint8_t>()));
  uint8_t next_id = input.ConsumeIntegral<uint8_t>();
  while (input.remaining_bytes() > 0 && sent.size() < 8192) {
    if (input.ConsumeIntegralInRange<int>(0, 7) == 0) {
      const std::string raw = input.ConsumeRandomLengthString(96);
      append(BytesOf(raw));
      continue;
    }
    vortex::Request request;
    request.packet_id = input.ConsumeBool() ? next_id++ : input.ConsumeIntegral<uint8_t>();
    request.key.kind = static_cast<common::id::TaskKind>(input.ConsumeIntegralInRange<int>(0, 2));
    request.key.id = std::string(64, input.ConsumeBool() ? 'a' : '/');
    request.number = input.ConsumeIntegralInRange<uint32_t>(0, kPieces);
    append(*vortex::EncodeRequest(request));
  }
  return sent;
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  if (size == 0) return 0;
  const size_t portion = size_t{1} << (data[0] % 13U);
  // Into half of the smaller one not even the head of a piece fits.
  const size_t block_bytes = data[0] / 13U % 2U == 0 ? 1024 : 128;
  const std::string_view text = TextOf(data + 1, size - 1);
  if (data[0] >= 128) {
    const auto bytes = BytesOf(text);
    TryChild(std::vector<std::byte>(bytes.begin(), bytes.end()), portion, block_bytes);
    return 0;
  }
  FuzzedDataProvider input(data + 1, size - 1);
  TryChild(SentBy(input), portion, block_bytes);
  return 0;
}
