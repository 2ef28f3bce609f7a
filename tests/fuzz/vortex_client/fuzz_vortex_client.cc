// What a parent answers to a request for a piece, over a real socket: the client ends, blames the
// parent for what it did, and gives the sink nothing that was not asked for.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/async/tcp.h"
#include "common/status/reason.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/vortex/codec.h"
#include "dfdaemon/transfer/vortex_tcp_client.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace async = common::async;
namespace net = common::net;
namespace transfer = dfdaemon::transfer;
namespace vortex = dfdaemon::transfer::vortex;
using async::Co;
using common::status::ErrorReason;

constexpr size_t kMaxPieceBytes = 4096;

class Sink final : public transfer::PieceSink {
 public:
  absl::Status OnHead(const transfer::PieceHead& told) override {
    FUZZ_CHECK(!head);
    head = told;
    return absl::OkStatus();
  }
  absl::Status OnBytes(std::span<const std::byte> data, bool verified) override {
    FUZZ_CHECK(head && !data.empty() && !verified);
    bytes.insert(bytes.end(), data.begin(), data.end());
    return absl::OkStatus();
  }
  std::optional<transfer::PieceHead> head;
  std::vector<std::byte> bytes;
};

// One thread, a listening socket and a client; made once, used by all inputs.
class World {
 public:
  static World& Get() {
    static World* const kWorld = new World();
    return *kWorld;
  }

  // What became of a fetch whose parent sends `reply` and ends.
  absl::Status Fetch(transfer::PieceRequest request, bool keepalive, std::vector<std::byte> reply,
                     Sink& sink) {
    transfer::PieceTarget target;
    target.keepalive = keepalive;
    target.endpoint = NextAddress();
    absl::Status fetched;
    async::RunToEnd(executor_, [&]() -> Co<void> {
      async::CancelScope scope(executor_);
      async::TaskGroup parent(executor_);
      parent.Spawn(Answer(scope, std::move(reply)));
      absl::Status status = co_await client_.Fetch(scope, target, request, sink);
      fetched = std::move(status);
      scope.Cancel(absl::CancelledError("the input is done"));
      co_await parent.Join();
    });
    FUZZ_CHECK(pool_.in_use() == 0);
    return fetched;
  }

 private:
  World() {
    auto listener = async::TcpListener::Bind(executor_, {net::IpAddress::V4({0, 0, 0, 0}), 0});
    FUZZ_CHECK(listener.ok());
    listener_ = std::move(*listener);
  }

  // Every address of 127.0.0.0/8 is ours: connections that have ended keep their pair of addresses
  // taken for a minute, and there would be no port left after 28,000 inputs.
  net::Endpoint NextAddress() {
    ++connections_;
    const auto byte = [&](unsigned shift) {
      return static_cast<uint8_t>((connections_ >> shift) & 0x7FU);
    };
    return {net::IpAddress::V4({127, byte(14), byte(7), static_cast<uint8_t>(byte(0) + 1)}),
            listener_->endpoint().port};
  }

  Co<void> Answer(async::CancelScope& scope, std::vector<std::byte> reply) {
    async::TcpStream::Options options;
    auto stream = co_await listener_->Accept(scope, executor_, options);
    if (!stream.ok()) co_return;
    // All of the request is read: what is left unread turns the end into a reset.
    std::vector<std::byte> asked(vortex::kRequestBytes);
    absl::Status read = co_await (*stream)->ReadExactly(scope, asked);
    if (!read.ok()) co_return;
    if (vortex::IsKeepalivePrefaceHeader(
            vortex::DecodeHeader(std::span(asked).first<vortex::kHeaderBytes>()))) {
      asked.resize(vortex::kHeaderBytes + vortex::kKeepalivePreface.size());
      read = co_await (*stream)->ReadExactly(scope, asked);
      if (!read.ok()) co_return;
    }
    absl::Status written = co_await (*stream)->WriteAll(scope, reply);
    (*stream)->Close();
  }

  async::Runtime runtime_{1, "fuzz"};
  async::Executor executor_ = runtime_.executor(0);
  transfer::BlockPool pool_{size_t{64} << 10, size_t{1} << 20};
  transfer::VortexTcpClient client_{transfer::VortexTcpClientOptions(), {}, pool_};
  std::unique_ptr<async::TcpListener> listener_;
  uint32_t connections_ = 0;
};

void Append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// A head that fits the request but for what the input changes in it; or bytes as they come.
std::vector<std::byte> ReplyOf(FuzzedDataProvider& input, const transfer::PieceRequest& request) {
  std::vector<std::byte> reply;
  if (input.ConsumeBool()) {
    vortex::Metadata metadata;
    metadata.number = request.number;
    metadata.offset = request.offset;
    metadata.length = request.length;
    if (input.ConsumeBool()) metadata.crc32 = input.ConsumeIntegral<uint32_t>();
    if (input.ConsumeBool()) metadata.parent_id = input.ConsumeRandomLengthString(16);
    if (input.ConsumeBool()) metadata.number ^= input.ConsumeIntegral<uint8_t>();
    if (input.ConsumeBool()) metadata.length ^= input.ConsumeIntegral<uint8_t>();
    reply = vortex::EncodeContentHead(input.ConsumeIntegral<uint8_t>(), request.key.kind, metadata);
    if (input.ConsumeBool()) {
      const size_t at = input.ConsumeIntegralInRange<size_t>(0, reply.size() - 1);
      reply[at] = static_cast<std::byte>(input.ConsumeIntegral<uint8_t>());
    }
  }
  const auto rest = input.ConsumeRemainingBytes<uint8_t>();
  Append(reply, std::as_bytes(std::span(rest)));
  return reply;
}

void TryReply(FuzzedDataProvider& input) {
  transfer::PieceRequest request;
  request.key.kind = static_cast<common::id::TaskKind>(input.ConsumeIntegralInRange<int>(0, 2));
  request.key.id = std::string(64, 'a');
  request.number = input.ConsumeIntegralInRange<uint32_t>(0, 3);
  request.offset = uint64_t{request.number} * kMaxPieceBytes;
  request.length = input.ConsumeIntegralInRange<uint64_t>(0, 300);
  const bool keepalive = input.ConsumeBool();
  const std::vector<std::byte> reply = ReplyOf(input, request);
  Sink sink;
  const absl::Status fetched = World::Get().Fetch(request, keepalive, reply, sink);
  if (sink.head) {
    FUZZ_CHECK(sink.head->number == request.number && sink.head->offset == request.offset);
    FUZZ_CHECK(sink.head->length == request.length);
  }
  FUZZ_CHECK(sink.bytes.size() <= request.length);
  if (fetched.ok()) {
    FUZZ_CHECK(sink.head && sink.bytes.size() == request.length);
    // They are what was sent behind the head, nothing else.
    const auto found = std::ranges::search(reply, sink.bytes);
    FUZZ_CHECK(sink.bytes.empty() || !found.empty());
    return;
  }
  const ErrorReason reason = common::status::ReasonOf(fetched);
  FUZZ_CHECK(reason == ErrorReason::kParentProtocol || reason == ErrorReason::kParentRefused ||
             reason == ErrorReason::kParentUnreachable);
  // Who sent anything at all was reached; only the end of the bytes may look like a broken line.
  FUZZ_CHECK(reason != ErrorReason::kParentRefused || !sink.head);
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  dragonfly::fuzz::TryReply(input);
  return 0;
}
