#include "dfdaemon/transfer/vortex_tcp_server.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "dfdaemon/transfer/testing/memory_provider.h"
#include "dfdaemon/transfer/vortex/codec.h"
#include "tests/unit/dfdaemon_transfer/raw_peer.h"

// What a child sees of the server, byte by byte; conformance_test.cc has the rest.

namespace dragonfly::dfdaemon::transfer {
namespace {

using common::id::TaskKind;
using common::limit::Limit;
using testing::MemoryPiece;
using testing::MemoryProvider;
using testing::PieceFor;
using testing::RequestFor;
using vortex::Tag;

class VortexTcpServerTest : public ::testing::Test {
 protected:
  ~VortexTcpServerTest() override { server_.reset(); }

  void Start(VortexTcpServerOptions options = VortexTcpServerOptions()) {
    options.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
    options.report = &report_;
    const std::vector<common::async::Executor> executors = {runtime_.executor(0),
                                                            runtime_.executor(1)};
    server_ = std::make_unique<VortexTcpServer>(options, executors, provider_, pool_);
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::unique_ptr<RawSocket> Connect() {
    return std::make_unique<RawSocket>(RawSocket::Connect(server_->endpoint()));
  }
  MemoryPiece Offer(core::PieceNumber number, uint64_t length,
                    TaskKind kind = TaskKind::kStandard) {
    const PieceRequest request = RequestFor(kind, number, length);
    MemoryPiece piece = PieceFor(request);
    provider_.Put(request.key, number, piece);
    return piece;
  }
  static std::vector<std::byte> Ask(core::PieceNumber number, uint8_t packet_id = 1,
                                    TaskKind kind = TaskKind::kStandard) {
    vortex::Request request;
    request.packet_id = packet_id;
    request.key = RequestFor(kind, number, 0).key;
    request.number = number;
    const auto bytes = vortex::EncodeRequest(request);
    EXPECT_TRUE(bytes.ok());
    return {bytes->begin(), bytes->end()};
  }
  static vortex::Header HeaderOf(std::span<const std::byte> packet) {
    return vortex::DecodeHeader(packet.first<vortex::kHeaderBytes>());
  }
  // Reads one reply with content and returns its bytes.
  static std::vector<std::byte> ReadPiece(RawSocket& socket, uint8_t* packet_id = nullptr) {
    const std::vector<std::byte> start = socket.Receive(vortex::kHeaderBytes + 4);
    if (start.size() != vortex::kHeaderBytes + 4) {
      ADD_FAILURE() << "no reply";
      return {};
    }
    if (packet_id != nullptr) *packet_id = HeaderOf(start).packet_id;
    const auto length =
        vortex::DecodeMetadataLength(std::span(start).subspan<vortex::kHeaderBytes, 4>());
    EXPECT_TRUE(length.ok());
    EXPECT_EQ(HeaderOf(start).length, *length + 4);
    const auto metadata = vortex::DecodeMetadata(socket.Receive(*length), uint64_t{1} << 30);
    EXPECT_TRUE(metadata.ok()) << metadata.status();
    return socket.Receive(static_cast<size_t>(metadata->length));
  }
  static void WaitUntil(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    ASSERT_TRUE(condition());
  }

  common::telemetry::Registry registry_;
  common::limit::LimitReport report_{registry_, "dragonfly_test", common::os::PosixEnv().clock(),
                                     [](const common::limit::LimitReport::Line&) {}};
  common::async::Runtime runtime_{2, "server"};
  BlockPool pool_{kBlock, 8 * kBlock};
  MemoryProvider provider_;
  std::unique_ptr<VortexTcpServer> server_;
};

TEST_F(VortexTcpServerTest, AnswersOneRequestAndThenEndsTheStreamThoughTheChildDoesNot) {
  Start();
  const MemoryPiece piece = Offer(0, 300000);
  auto child = Connect();
  child->Send(Ask(0));
  EXPECT_EQ(ReadPiece(*child), piece.bytes);
  EXPECT_TRUE(child->Receive(1).empty());
  EXPECT_FALSE(child->was_reset());
}

TEST_F(VortexTcpServerTest, GoesOnSendingAfterTheChildHasClosedItsHalf) {
  Start();
  const MemoryPiece piece = Offer(0, uint64_t{16} << 20);
  auto child = Connect();
  child->Send(Ask(0));
  child->ShutdownWrite();
  EXPECT_EQ(ReadPiece(*child), piece.bytes);
}

TEST_F(VortexTcpServerTest, TellsOfAMissingPieceAsUpstreamDoes) {
  Start();
  auto child = Connect();
  child->Send(Ask(7));
  const std::vector<std::byte> reply = child->ReceiveAll();
  ASSERT_GT(reply.size(), vortex::kHeaderBytes);
  EXPECT_TRUE(HeaderOf(reply).Is(Tag::kError));
  const auto error = vortex::DecodeError(std::span(reply).subspan(vortex::kHeaderBytes));
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, vortex::ErrorCode::kNotFound);
  EXPECT_EQ(error->message, "piece " + std::string(64, 'a') + "-7 not found");
}

TEST_F(VortexTcpServerTest, AnIdThatIsNoTaskIdNamesNoFile) {
  Start();
  auto child = Connect();
  std::vector<std::byte> request = Ask(0);
  const std::string id = "../../../../../../../../../../../../../../../../../../etc/passwd";
  for (size_t i = 0; i < 64; ++i) request[vortex::kHeaderBytes + i] = static_cast<std::byte>(id[i]);
  child->Send(request);
  const std::vector<std::byte> reply = child->ReceiveAll();
  ASSERT_GT(reply.size(), vortex::kHeaderBytes);
  EXPECT_TRUE(HeaderOf(reply).Is(Tag::kError));
}

TEST_F(VortexTcpServerTest, Sec_D29_ClosesWithoutReplyWhatIsNoRequest) {
  Start();
  Offer(0, 1000);
  const auto expect_closed = [this](std::vector<std::byte> bytes) {
    auto child = Connect();
    child->Send(bytes);
    EXPECT_TRUE(child->ReceiveAll().empty());
  };
  for (int tag : {1, 3, 5, 6, 7, 8, 100, 253, 254, 255}) {
    std::vector<std::byte> request = Ask(0);
    request[1] = static_cast<std::byte>(tag);
    expect_closed(request);
  }
  for (uint32_t length : {0u, 67u, 69u, 4097u, 0xffffffffu}) {
    vortex::Header header;
    header.length = length;
    const auto bytes = vortex::EncodeHeader(header);
    expect_closed({bytes.begin(), bytes.end()});
  }
  std::vector<std::byte> other_version = vortex::EncodeKeepalivePreface(1);
  other_version.back() = std::byte{'9'};
  expect_closed(other_version);
  // 16 of them; an upstream Close and the preface's length differ, so tag 254 counts as well.
  WaitUntil([this] { return server_->stats().connections_open == 0; });
  EXPECT_EQ(server_->stats().protocol_violations, 16u);
  EXPECT_EQ(report_.Count(Limit::kFrame), 16);
}

TEST_F(VortexTcpServerTest, ServesManyRequestsOnOneConnectionAfterThePreface) {
  Start();
  auto child = Connect();
  child->Send(vortex::EncodeKeepalivePreface(0));
  for (core::PieceNumber number = 0; number < 5; ++number) {
    for (TaskKind kind : common::id::kAllTaskKinds) {
      const MemoryPiece piece = Offer(number, 1000 + number, kind);
      const auto packet_id = static_cast<uint8_t>(200 + number);
      child->Send(Ask(number, packet_id, kind));
      uint8_t echoed = 0;
      EXPECT_EQ(ReadPiece(*child, &echoed), piece.bytes);
      EXPECT_EQ(echoed, packet_id);
    }
  }
  child->ShutdownWrite();
  EXPECT_TRUE(child->ReceiveAll().empty());
  EXPECT_EQ(server_->stats().connections_accepted, 1u);
}

TEST_F(VortexTcpServerTest, AnswersPipelinedRequestsInTheirOrderErrorsIncluded) {
  Start();
  std::vector<MemoryPiece> pieces;
  for (core::PieceNumber number = 0; number < 64; ++number)
    pieces.push_back(Offer(number, 50000 + number));
  auto child = Connect();
  std::vector<std::byte> all = vortex::EncodeKeepalivePreface(0);
  const auto append = [&all](const std::vector<std::byte>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  for (core::PieceNumber number = 0; number < 64; ++number)
    append(Ask(number, static_cast<uint8_t>(number)));
  append(Ask(1000, 77));
  child->Send(all);
  child->ShutdownWrite();
  for (core::PieceNumber number = 0; number < 64; ++number) {
    uint8_t packet_id = 0;
    ASSERT_EQ(ReadPiece(*child, &packet_id), pieces[number].bytes) << number;
    EXPECT_EQ(packet_id, number);
  }
  const std::vector<std::byte> error = child->ReceiveAll();
  ASSERT_GT(error.size(), vortex::kHeaderBytes);
  EXPECT_TRUE(HeaderOf(error).Is(Tag::kError));
  EXPECT_EQ(HeaderOf(error).packet_id, 77);
  EXPECT_FALSE(child->was_reset());
}

TEST_F(VortexTcpServerTest, Sec_D29_PipelineDepthIsBounded) {
  VortexTcpServerOptions options;
  options.max_pipelined_requests = 4;
  Start(options);
  const PieceRequest pending = RequestFor(TaskKind::kStandard, 0, 1000);
  provider_.PutPending(pending.key, 0);
  auto child = Connect();
  child->Send(vortex::EncodeKeepalivePreface(0));
  for (uint8_t id = 0; id < 50; ++id) child->Send(Ask(0, id));
  WaitUntil([this] { return provider_.waiting() == 1; });
  // One that waits, four in the queue, one in the reader's hand; the rest stays in the socket.
  WaitUntil([this] { return server_->stats().requests == 6; });
  absl::SleepFor(absl::Milliseconds(50));  // to give a seventh the chance to be read
  EXPECT_EQ(server_->stats().requests, 6u);
}

TEST_F(VortexTcpServerTest, Sec_D29_APacketIdInFlightIsNotUsedTwice) {
  Start();
  const PieceRequest pending = RequestFor(TaskKind::kStandard, 0, 1000);
  provider_.PutPending(pending.key, 0);
  auto child = Connect();
  child->Send(vortex::EncodeKeepalivePreface(0));
  child->Send(Ask(0, 9));
  WaitUntil([this] { return provider_.waiting() == 1; });
  child->Send(Ask(0, 9));
  EXPECT_TRUE(child->ReceiveAll().empty());
  EXPECT_EQ(server_->stats().protocol_violations, 1u);
}

TEST_F(VortexTcpServerTest, AReplyThatCannotBeFinishedEndsInAReset) {
  Start();
  const PieceRequest request = RequestFor(TaskKind::kStandard, 0, uint64_t{2} << 20);
  MemoryPiece piece = PieceFor(request);
  piece.fails_at = uint64_t{1} << 20;
  provider_.Put(request.key, 0, piece);
  auto child = Connect();
  child->Send(Ask(0));
  child->ReceiveAll();
  EXPECT_TRUE(child->was_reset());
}

TEST_F(VortexTcpServerTest, DropsAChildThatAsksForNothing) {
  VortexTcpServerOptions options;
  options.first_request_timeout = absl::Milliseconds(50);
  Start(options);
  auto silent = Connect();
  auto halfway = Connect();
  halfway->Send(std::span<const std::byte>(Ask(0)).first(40));
  EXPECT_TRUE(silent->ReceiveAll().empty());
  EXPECT_TRUE(halfway->ReceiveAll().empty());
  WaitUntil([this] { return report_.Count(Limit::kSlowRequest) == 2; });
  EXPECT_EQ(server_->stats().timeouts, 2u);
}

TEST_F(VortexTcpServerTest, DropsAChildThatTakesNothing) {
  VortexTcpServerOptions options;
  options.write_stall_timeout = absl::Milliseconds(100);
  Start(options);
  Offer(0, uint64_t{64} << 20);
  auto child = Connect();
  child->Send(Ask(0));
  WaitUntil([this] { return server_->stats().timeouts == 1; });
  EXPECT_EQ(provider_.open_pieces(), 0);
  child->ReceiveAll();
  EXPECT_TRUE(child->was_reset());
}

TEST_F(VortexTcpServerTest, ClosesAnIdleConnectionButNotAWaitingOne) {
  VortexTcpServerOptions options;
  options.idle_timeout = absl::Milliseconds(50);
  Start(options);
  const PieceRequest pending = RequestFor(TaskKind::kStandard, 0, 1000);
  provider_.PutPending(pending.key, 0);
  auto waiting = Connect();
  waiting->Send(vortex::EncodeKeepalivePreface(0));
  waiting->Send(Ask(0));
  auto idle = Connect();
  idle->Send(vortex::EncodeKeepalivePreface(0));
  EXPECT_TRUE(idle->ReceiveAll().empty());
  WaitUntil([this] { return server_->stats().timeouts == 1; });
  WaitUntil([this] { return server_->stats().connections_open == 1; });
  EXPECT_EQ(provider_.waiting(), 1);
}

TEST_F(VortexTcpServerTest, StopsWaitingForAPieceAtItsLimit) {
  VortexTcpServerOptions options;
  options.open_timeout = absl::Milliseconds(50);
  Start(options);
  const PieceRequest pending = RequestFor(TaskKind::kStandard, 0, 1000);
  provider_.PutPending(pending.key, 0);
  auto child = Connect();
  child->Send(Ask(0));
  const std::vector<std::byte> reply = child->ReceiveAll();
  ASSERT_GT(reply.size(), vortex::kHeaderBytes);
  EXPECT_TRUE(HeaderOf(reply).Is(Tag::kError));
}

TEST_F(VortexTcpServerTest, LimitsConnectionsInAllAndOfOneSource) {
  for (const bool total : {true, false}) {
    server_.reset();
    VortexTcpServerOptions options;
    options.connections = {.total = total ? 3u : 100u, .per_source = total ? 100u : 3u};
    Start(options);
    const MemoryPiece piece = Offer(0, 1000);
    std::vector<std::unique_ptr<RawSocket>> children;
    for (int i = 0; i < 3; ++i) {
      children.push_back(Connect());
      children.back()->Send(vortex::EncodeKeepalivePreface(0));
      children.back()->Send(Ask(0));
      EXPECT_EQ(ReadPiece(*children.back()), piece.bytes);
    }
    auto refused = Connect();
    EXPECT_TRUE(refused->ReceiveAll().empty());
    EXPECT_EQ(report_.Count(Limit::kConnections), 1);
    EXPECT_EQ(report_.Count(Limit::kConnectionsPerSource), total ? 0 : 1);
    // The others are served on, and a place that is left is given away again.
    children[0]->Send(Ask(0));
    EXPECT_EQ(ReadPiece(*children[0]), piece.bytes);
    children.pop_back();
    WaitUntil([this] { return server_->stats().connections_open == 2; });
    auto next = Connect();
    next->Send(Ask(0));
    EXPECT_EQ(ReadPiece(*next), piece.bytes);
  }
}

TEST_F(VortexTcpServerTest, Sec_D17_TlsThatComesToNothingIsEndedAndCounted) {
  std::string folder = ::testing::TempDir() + "/piece-tls-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  common::crypto::testing::TestAuthority authority;
  VortexTcpServerOptions options;
  options.tls = common::crypto::testing::OpenSource(authority.Write(folder, {}));
  options.require_tls = true;
  options.tls_handshake_timeout = absl::Milliseconds(50);
  options.first_request_timeout = absl::Milliseconds(50);
  Start(options);
  auto silent = Connect();
  EXPECT_TRUE(silent->ReceiveAll().empty());
  WaitUntil([this] { return report_.Count(Limit::kSlowRequest) == 1; });
  // The beginning of a ClientHello.
  auto halfway = Connect();
  halfway->Send(std::vector<std::byte>{std::byte{0x16}, std::byte{3}, std::byte{1}});
  halfway->ReceiveAll();
  WaitUntil([this] { return report_.Count(Limit::kHandshake) == 1; });
  auto plain = Connect();
  plain->Send(Ask(0));
  plain->ReceiveAll();
  WaitUntil([this] { return report_.Count(Limit::kHandshake) == 2; });
  WaitUntil([this] { return server_->stats().connections_open == 0; });
  std::filesystem::remove_all(folder);
}

TEST_F(VortexTcpServerTest, NewConnectionsHaveARate) {
  VortexTcpServerOptions options;
  // So slow that no more than the burst passes while the test runs.
  options.connections = {.total = 100, .per_source = 100, .new_per_second = 1, .burst = 20};
  Start(options);
  const MemoryPiece piece = Offer(0, 1000);
  int served = 0;
  for (int i = 0; i < 40; ++i) {
    auto child = Connect();
    child->Send(Ask(0));
    served += child->ReceiveAll().empty() ? 0 : 1;
  }
  EXPECT_GE(served, 10);
  EXPECT_LT(served, 40);
  EXPECT_EQ(report_.Count(Limit::kConnectionRate), 40 - served);
}

TEST_F(VortexTcpServerTest, StoppingWithGraceFinishesWhatWasAskedFor) {
  Start();
  const MemoryPiece piece = Offer(0, uint64_t{32} << 20);
  auto busy = Connect();
  busy->Send(Ask(0));
  auto busy_keepalive = Connect();
  busy_keepalive->Send(vortex::EncodeKeepalivePreface(0));
  busy_keepalive->Send(Ask(0));
  auto idle = Connect();
  idle->Send(vortex::EncodeKeepalivePreface(0));
  WaitUntil([this] {
    return provider_.open_pieces() == 2 && server_->stats().connections_accepted == 3;
  });
  std::thread stopper([this] { server_->Stop(absl::Seconds(30)); });
  EXPECT_TRUE(idle->ReceiveAll().empty());
  EXPECT_EQ(ReadPiece(*busy), piece.bytes);
  EXPECT_EQ(ReadPiece(*busy_keepalive), piece.bytes);
  EXPECT_TRUE(busy_keepalive->ReceiveAll().empty());
  stopper.join();
  EXPECT_EQ(server_->stats().connections_open, 0u);
}

TEST_F(VortexTcpServerTest, StoppingCutsWhatDoesNotEndWithinTheGrace) {
  Start();
  Offer(0, uint64_t{64} << 20);
  auto child = Connect();
  child->Send(Ask(0));
  WaitUntil([this] { return provider_.open_pieces() == 1; });
  server_->Stop(absl::Milliseconds(20));
  EXPECT_EQ(provider_.open_pieces(), 0);
  EXPECT_EQ(server_->stats().connections_open, 0u);
}

TEST_F(VortexTcpServerTest, ChildrenThatGoAwayLeaveNothingBehind) {
  Start();
  Offer(0, uint64_t{32} << 20);
  for (int i = 0; i < 20; ++i) {
    auto child = Connect();
    if (i % 2 == 0) child->Send(vortex::EncodeKeepalivePreface(0));
    child->Send(Ask(0));
    child->Receive(1000);
    if (i % 4 < 2) child->CloseWithReset();
  }
  WaitUntil([this] { return server_->stats().connections_open == 0; });
  EXPECT_EQ(provider_.open_pieces(), 0);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(VortexTcpServerTest, ATakenPortIsAnErrorThatNamesIt) {
  Start();
  VortexTcpServerOptions options;
  options.endpoint = server_->endpoint();
  VortexTcpServer second(options, {runtime_.executor(0)}, provider_, pool_);
  const absl::Status started = second.Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(started)) << started;
  EXPECT_NE(std::string(started.message()).find(options.endpoint.ToString()), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer
