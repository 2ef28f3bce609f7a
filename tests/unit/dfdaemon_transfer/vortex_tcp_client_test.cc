#include "dfdaemon/transfer/vortex_tcp_client.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/status/reason.h"
#include "dfdaemon/transfer/testing/memory_provider.h"
#include "dfdaemon/transfer/testing/recording_sink.h"
#include "dfdaemon/transfer/vortex/codec.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"
#include "tests/unit/dfdaemon_transfer/raw_peer.h"

// What the client makes of parents that do what ours never would; conformance_test.cc has the rest.

namespace dragonfly::dfdaemon::transfer {
namespace {

using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::ReasonOf;
using testing::FetchNow;
using testing::MemoryPiece;
using testing::PieceFor;
using testing::RecordingSink;
using testing::RequestFor;
using vortex::Tag;

using Bytes = std::vector<std::byte>;

vortex::Metadata MetadataFor(const PieceRequest& request) {
  vortex::Metadata metadata;
  metadata.number = request.number;
  metadata.offset = request.offset;
  metadata.length = request.length;
  metadata.crc32 = 1;
  return metadata;
}

class VortexTcpClientTest : public ::testing::Test {
 protected:
  absl::Status Fetch(const RawParent& parent, const PieceRequest& request, PieceSink& sink,
                     bool keepalive = false, absl::Duration timeout = absl::Seconds(30)) {
    PieceTarget target;
    target.endpoint = parent.endpoint();
    target.keepalive = keepalive;
    return FetchNow(runtime_.executor(0), client_, target, request, sink, timeout);
  }
  // A parent that answers every request with these bytes and then ends the stream.
  static std::unique_ptr<RawParent> Answering(Bytes reply) {
    return std::make_unique<RawParent>([reply = std::move(reply)](RawSocket& child) {
      child.Receive(vortex::kRequestBytes);
      child.Send(reply);
      child.ShutdownWrite();
      child.ReceiveAll();
    });
  }
  void ExpectViolation(Bytes reply, const std::string& what) {
    const auto parent = Answering(std::move(reply));
    RecordingSink sink;
    const absl::Status status = Fetch(*parent, request_, sink);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << what << ": " << status;
    EXPECT_FALSE(sink.head.has_value()) << what;
  }

  common::async::Runtime runtime_{1, "client"};
  BlockPool pool_{kBlock, 4 * kBlock};
  VortexTcpClient client_{VortexTcpClientOptions(), {runtime_.executor(0)}, pool_};
  const PieceRequest request_ = RequestFor(TaskKind::kStandard, 3, 10000);
};

Bytes Content(const PieceRequest& request, size_t bytes, TaskKind kind = TaskKind::kStandard) {
  Bytes out = vortex::EncodeContentHead(1, kind, MetadataFor(request));
  out.resize(out.size() + bytes);
  return out;
}

TEST_F(VortexTcpClientTest, ClosesItsHalfOnceItHasTheHeadAsUpstreamDoes) {
  std::atomic<bool> ended_early = false;
  RawParent parent([&](RawSocket& child) {
    child.Receive(vortex::kRequestBytes);
    child.Send(vortex::EncodeContentHead(1, TaskKind::kStandard, MetadataFor(request_)));
    ended_early = child.Receive(1).empty();  // before a byte of the piece was sent
    child.Send(Bytes(10000));
  });
  RecordingSink sink;
  const absl::Status status = Fetch(parent, request_, sink);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ended_early);
  EXPECT_EQ(sink.bytes.size(), 10000u);
}

TEST_F(VortexTcpClientTest, SendsExactlyTheRequestToAnUpstreamParent) {
  Bytes request;
  RawParent parent([&](RawSocket& child) {
    request = child.Receive(vortex::kRequestBytes);
    child.Send(Content(request_, 10000));
  });
  RecordingSink sink;
  ASSERT_TRUE(Fetch(parent, request_, sink).ok());
  ASSERT_EQ(request.size(), vortex::kRequestBytes);
  request[0] = std::byte{0};  // any packet id
  vortex::Request expected;
  expected.key = request_.key;
  expected.number = request_.number;
  const auto bytes = vortex::EncodeRequest(expected);
  EXPECT_TRUE(std::ranges::equal(request, *bytes));
}

TEST_F(VortexTcpClientTest, ReadsAReplyThatComesByteByByte) {
  RawParent parent([&](RawSocket& child) {
    child.Receive(vortex::kRequestBytes);
    const Bytes reply = Content(request_, 10000);
    for (size_t i = 0; i < reply.size(); i += i < 200 ? 1 : 977)
      child.Send(
          std::span(reply).subspan(i, std::min<size_t>(i < 200 ? 1 : 977, reply.size() - i)));
  });
  RecordingSink sink;
  const absl::Status status = Fetch(parent, request_, sink);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink.bytes.size(), 10000u);
}

TEST_F(VortexTcpClientTest, IgnoresTheHeadersLengthOfContentAsEverybodyDoes) {
  for (uint32_t length : {0u, 10084u, 0xffffffffu}) {
    Bytes reply = Content(request_, 10000);
    for (size_t i = 0; i < 4; ++i)
      reply[2 + i] = static_cast<std::byte>((length >> (24 - 8 * i)) & 0xff);
    const auto parent = Answering(reply);
    RecordingSink sink;
    EXPECT_TRUE(Fetch(*parent, request_, sink).ok()) << length;
  }
}

TEST_F(VortexTcpClientTest, Sec_D30_AShortBodyIsAViolation) {
  for (size_t bytes : {0u, 1u, 9999u}) {
    const auto parent = Answering(Content(request_, bytes));
    RecordingSink sink;
    const absl::Status status = Fetch(*parent, request_, sink);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << status;
    EXPECT_EQ(sink.bytes.size(), bytes);
  }
}

TEST_F(VortexTcpClientTest, Sec_D30_NothingBeyondThePieceReachesTheSink) {
  const auto parent = Answering(Content(request_, 20000));
  RecordingSink sink;
  const absl::Status status = Fetch(*parent, request_, sink);
  EXPECT_TRUE(status.ok()) << status;  // upstream's children ignore it too
  EXPECT_EQ(sink.bytes.size(), 10000u);
}

TEST_F(VortexTcpClientTest, Sec_D30_ContentOfAnotherKindIsAViolation) {
  ExpectViolation(Content(request_, 10000, TaskKind::kPersistent), "persistent content");
  ExpectViolation(Content(request_, 10000, TaskKind::kPersistentCache), "cached content");
}

TEST_F(VortexTcpClientTest, Sec_D29_EveryOtherTagIsAViolation) {
  for (int tag : {0, 2, 4, 6, 7, 8, 253, 254}) {
    Bytes reply = Content(request_, 10000);
    reply[1] = static_cast<std::byte>(tag);
    ExpectViolation(reply, "tag " + std::to_string(tag));
  }
}

TEST_F(VortexTcpClientTest, Sec_D29_HostileLengthsAreRefusedBeforeAnythingIsAllocated) {
  const auto put = [](Bytes& bytes, size_t at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i)
      bytes[at + i] = static_cast<std::byte>((value >> (8 * (size - 1 - i))) & 0xff);
  };
  for (uint64_t length : {0u, 44u, 4097u, 0x7fffffffu, 0xffffffffu}) {
    Bytes reply = Content(request_, 10000);
    put(reply, vortex::kHeaderBytes, length, 4);
    ExpectViolation(reply, "metadata of " + std::to_string(length));
  }
  for (uint64_t length : {uint64_t{0}, uint64_t{10001}, uint64_t{64} << 20,
                          (uint64_t{64} << 20) + 1, uint64_t{1} << 40, ~uint64_t{0}}) {
    Bytes reply = Content(request_, 10000);
    put(reply, vortex::kHeaderBytes + 4 + 12, length, 8);
    ExpectViolation(reply, "piece of " + std::to_string(length));
  }
  for (uint64_t length : {uint64_t{0}, uint64_t{65537}, uint64_t{0xffffffff}}) {
    vortex::Header header;
    header.tag = static_cast<uint8_t>(Tag::kError);
    header.length = static_cast<uint32_t>(length);
    const auto bytes = vortex::EncodeHeader(header);
    ExpectViolation({bytes.begin(), bytes.end()}, "error of " + std::to_string(length));
  }
}

TEST_F(VortexTcpClientTest, ReadsAnErrorOfTheLargestSizeAndShowsItsBeginning) {
  const auto parent =
      Answering(vortex::EncodeError(1, vortex::ErrorCode::kInternal, std::string(100000, 'x')));
  RecordingSink sink;
  const absl::Status status = Fetch(*parent, request_, sink);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentRefused) << status;
  EXPECT_LT(status.message().size(), 1000u);
}

TEST_F(VortexTcpClientTest, AParentThatClosesOrResetsIsUnreachable) {
  RawParent closing([](RawSocket& child) { child.Receive(vortex::kRequestBytes); });
  RawParent resetting([](RawSocket& child) {
    child.Receive(vortex::kRequestBytes);
    child.CloseWithReset();
  });
  for (const RawParent* parent : {&closing, &resetting}) {
    RecordingSink sink;
    const absl::Status status = Fetch(*parent, request_, sink);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kParentUnreachable) << status;
  }
}

TEST_F(VortexTcpClientTest, Sec_D30_AReplyToAnotherRequestIsAViolation) {
  RawParent parent([&](RawSocket& child) {
    child.Receive(vortex::kHeaderBytes + vortex::kKeepalivePreface.size());
    Bytes reply = Content(request_, 10000);
    const Bytes asked = child.Receive(vortex::kRequestBytes);
    reply[0] = asked[0] ^ std::byte{1};
    child.Send(reply);
    child.ReceiveAll();
  });
  RecordingSink sink;
  const absl::Status status = Fetch(parent, request_, sink, true);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << status;
  EXPECT_FALSE(sink.head.has_value());
}

// Answers `replies` requests on each connection and then does `then`.
std::unique_ptr<RawParent> Keeping(const PieceRequest& request, int replies,
                                   std::function<void(RawSocket&)> then,
                                   std::atomic<int>* connections, size_t surplus = 0) {
  return std::make_unique<RawParent>([=](RawSocket& child) {
    ++*connections;
    child.Receive(vortex::kHeaderBytes + vortex::kKeepalivePreface.size());
    for (int i = 0; i < replies; ++i) {
      const Bytes asked = child.Receive(vortex::kRequestBytes);
      if (asked.size() != vortex::kRequestBytes) return;
      Bytes reply = Content(request, 10000 + surplus);
      reply[0] = asked[0];
      child.Send(reply);
    }
    then(child);
  });
}

TEST_F(VortexTcpClientTest, AsksAgainOnAConnectionThatIsKept) {
  std::atomic<int> connections = 0;
  const auto parent = Keeping(
      request_, 3, [](RawSocket&) {}, &connections);
  for (int i = 0; i < 3; ++i) {
    RecordingSink sink;
    const absl::Status status = Fetch(*parent, request_, sink, true);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(sink.bytes.size(), 10000u);
  }
  EXPECT_EQ(connections, 1);
  EXPECT_EQ(client_.stats().connections_opened, 1u);
  EXPECT_EQ(client_.stats().connections_reused, 2u);
}

TEST_F(VortexTcpClientTest, AKeptConnectionThatWasClosedMeanwhileIsReplaced) {
  std::atomic<int> connections = 0;
  // The second one reads the next request before it closes: found out only when the reply is
  // missing.
  for (const bool late : {false, true}) {
    connections = 0;
    const auto parent = Keeping(
        request_, 1,
        [late](RawSocket& child) {
          if (late) child.Receive(vortex::kRequestBytes);
        },
        &connections);
    VortexTcpClient client(VortexTcpClientOptions(), {runtime_.executor(0)}, pool_);
    PieceTarget target;
    target.endpoint = parent->endpoint();
    target.keepalive = true;
    for (int i = 0; i < 3; ++i) {
      RecordingSink sink;
      const absl::Status status = FetchNow(runtime_.executor(0), client, target, request_, sink);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(sink.bytes.size(), 10000u);
    }
    // Before the parent, which waits for the last connection.
    client.Stop();
    EXPECT_EQ(connections, 3);
  }
}

TEST_F(VortexTcpClientTest, Sec_D30_BytesThatNobodyAskedForEndAKeptConnection) {
  std::atomic<int> connections = 0;
  const auto parent = Keeping(
      request_, 1, [](RawSocket& child) { child.ReceiveAll(); }, &connections, 500);
  for (int i = 0; i < 3; ++i) {
    RecordingSink sink;
    const absl::Status status = Fetch(*parent, request_, sink, true);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(sink.bytes.size(), 10000u);
  }
  EXPECT_EQ(connections, 3);
}

TEST_F(VortexTcpClientTest, KeepsAFewConnectionsAndForAWhileOnly) {
  testing::MemoryProvider provider;
  for (core::PieceNumber i = 0; i < 8; ++i) {
    const PieceRequest request = RequestFor(TaskKind::kStandard, i, 1000);
    provider.Put(request.key, i, PieceFor(request));
  }
  VortexTcpServerOptions server_options;
  server_options.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
  VortexTcpServer server(server_options, {runtime_.executor(0)}, provider, pool_);
  ASSERT_TRUE(server.Start().ok());
  VortexTcpClientOptions options;
  options.max_idle_per_target = 2;
  options.idle_timeout = absl::Milliseconds(200);
  VortexTcpClient client(options, {runtime_.executor(0)}, pool_);
  PieceTarget target;
  target.endpoint = server.endpoint();
  target.keepalive = true;
  const common::async::Executor executor = runtime_.executor(0);
  std::vector<RecordingSink> sinks(8);
  std::vector<absl::Status> results(8);
  common::async::RunToEnd(executor, [&]() -> common::async::Co<void> {
    common::async::CancelScope scope(executor, absl::Seconds(30));
    auto fetch = [&](core::PieceNumber i) -> common::async::Co<void> {
      const PieceRequest request = RequestFor(TaskKind::kStandard, i, 1000);
      results[i] = co_await client.Fetch(scope, target, request, sinks[i]);
    };
    common::async::TaskGroup group(executor);
    for (core::PieceNumber i = 0; i < 8; ++i) group.Spawn(fetch(i));
    co_await group.Join();
  });
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(server.stats().connections_accepted, 8u);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  const auto wait_for_open = [&](uint64_t most) {
    while (server.stats().connections_open > most && absl::Now() < deadline)
      absl::SleepFor(absl::Milliseconds(1));
    return server.stats().connections_open <= most;
  };
  EXPECT_TRUE(wait_for_open(2));
  EXPECT_TRUE(wait_for_open(0));
}

TEST_F(VortexTcpClientTest, RefusesToAskForAPieceBeyondTheConfiguredLength) {
  const auto parent = Answering({});
  PieceRequest request = request_;
  request.length = vortex::kDefaultMaxPieceBytes + 1;
  RecordingSink sink;
  EXPECT_EQ(ReasonOf(Fetch(*parent, request, sink)), ErrorReason::kInvalidArgument);
  request = request_;
  request.key.id = "short";
  EXPECT_EQ(ReasonOf(Fetch(*parent, request, sink)), ErrorReason::kInvalidArgument);
}

TEST_F(VortexTcpClientTest, ASilentParentHoldsNoBuffer) {
  std::atomic<bool> done = false;
  RawParent parent([&](RawSocket& child) {
    child.Receive(vortex::kRequestBytes);
    child.Send(Content(request_, 100));
    while (!done) absl::SleepFor(absl::Milliseconds(1));
  });
  RecordingSink sink;
  size_t in_use = 1;
  std::thread observer([&] {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (client_.stats().piece_bytes_received < 100 && absl::Now() < deadline)
      absl::SleepFor(absl::Milliseconds(1));
    while (in_use > 0 && absl::Now() < deadline) in_use = pool_.in_use();
  });
  const absl::Status status = Fetch(parent, request_, sink, false, absl::Milliseconds(500));
  observer.join();
  done = true;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kTimeout) << status;
  EXPECT_EQ(in_use, 0u);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer
