#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"
#include "dfdaemon/transfer/testing/memory_provider.h"
#include "dfdaemon/transfer/testing/recording_sink.h"

// What every transport of pieces must do, for all kinds of task. A transport's test includes this
// once and instantiates TransferConformance.

namespace dragonfly::dfdaemon::transfer::testing {

using common::status::ErrorReason;
using common::status::ReasonOf;

// A client, and servers on demand.
class Transport {
 public:
  virtual ~Transport() = default;
  // Serves `provider` until StopServing; once.
  virtual common::net::Endpoint Serve(PieceProvider& provider) = 0;
  virtual void StopServing() = 0;
  virtual PieceClient& client() = 0;
};

enum class Keepalive { kOff, kOn, kMixed };

struct TransportCase {
  std::string name;
  std::function<std::unique_ptr<Transport>(std::vector<common::async::Executor>)> make;
  Keepalive keepalive = Keepalive::kOff;
  bool tls = false;
};

inline void PrintTo(const TransportCase& transport, std::ostream* out) { *out << transport.name; }

using ConformanceParam = std::tuple<TransportCase, common::id::TaskKind>;

inline std::string ConformanceName(const ::testing::TestParamInfo<ConformanceParam>& info) {
  const char* const kinds[] = {"standard", "persistent", "persistent_cache"};
  return std::get<0>(info.param).name + "_" + kinds[static_cast<size_t>(std::get<1>(info.param))];
}

class TransferConformance : public ::testing::TestWithParam<ConformanceParam> {
 protected:
  TransferConformance() {
    const std::vector<common::async::Executor> executors = {runtime_.executor(0),
                                                            runtime_.executor(1)};
    transport_ = std::get<0>(GetParam()).make(executors);
    endpoint_ = transport_->Serve(provider_);
  }
  ~TransferConformance() override { transport_.reset(); }

  common::async::Executor executor(size_t core = 0) const { return runtime_.executor(core); }
  PieceTarget Target() {
    PieceTarget target;
    target.endpoint = endpoint_;
    const Keepalive keepalive = std::get<0>(GetParam()).keepalive;
    target.keepalive =
        keepalive == Keepalive::kOn || (keepalive == Keepalive::kMixed && targets_++ % 2 == 0);
    target.tls = std::get<0>(GetParam()).tls;
    return target;
  }
  PieceRequest Ask(core::PieceNumber number, uint64_t length) const {
    return RequestFor(std::get<1>(GetParam()), number, length);
  }
  // Offers the piece that an honest parent has for `request`.
  MemoryPiece Offer(const PieceRequest& request) {
    MemoryPiece piece = PieceFor(request);
    provider_.Put(request.key, request.number, piece);
    return piece;
  }
  absl::Status Fetch(const PieceRequest& request, PieceSink& sink) {
    return FetchNow(executor(), transport_->client(), Target(), request, sink);
  }
  // The connection is as good as new after whatever happened before.
  void ExpectWorksStill() {
    const PieceRequest request = Ask(99, 100000);
    const MemoryPiece piece = Offer(request);
    for (int i = 0; i < 2; ++i) {
      RecordingSink sink;
      const absl::Status status = Fetch(request, sink);
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_EQ(sink.bytes, piece.bytes);
    }
  }
  static void WaitUntil(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    ASSERT_TRUE(condition());
  }

  common::async::Runtime runtime_{2, "conform"};
  MemoryProvider provider_;
  std::unique_ptr<Transport> transport_;
  common::net::Endpoint endpoint_;
  int targets_ = 0;
};

TEST_P(TransferConformance, DeliversAWholePieceWithItsHead) {
  const PieceRequest request = Ask(7, uint64_t{4} << 20);
  const MemoryPiece piece = Offer(request);
  RecordingSink sink;
  const absl::Status status = Fetch(request, sink);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(sink.head.has_value());
  EXPECT_EQ(sink.head->number, 7u);
  EXPECT_EQ(sink.head->offset, uint64_t{28} << 20);
  EXPECT_EQ(sink.head->length, uint64_t{4} << 20);
  EXPECT_EQ(sink.head->crc32, piece.head.crc32);
  EXPECT_EQ(sink.head->parent_id, piece.head.parent_id);
  EXPECT_EQ(sink.head->cost, piece.head.cost);
  EXPECT_EQ(sink.head->created_at, piece.head.created_at);
  EXPECT_EQ(sink.bytes, piece.bytes);
  WaitUntil([this] { return provider_.open_pieces() == 0; });
  EXPECT_EQ(provider_.bytes_sent(), piece.bytes.size());
  EXPECT_EQ(provider_.bytes_admitted(), piece.bytes.size());
}

TEST_P(TransferConformance, DeliversPiecesOfEveryLength) {
  const uint64_t lengths[] = {1,
                              5,
                              4095,
                              4096,
                              core::kBlockBytes - 1,
                              core::kBlockBytes,
                              core::kBlockBytes + 1,
                              3 * core::kBlockBytes + 17,
                              0};
  core::PieceNumber number = 0;
  for (uint64_t length : lengths) {
    const PieceRequest request = Ask(number++, length);
    const MemoryPiece piece = Offer(request);
    RecordingSink sink;
    const absl::Status status = Fetch(request, sink);
    ASSERT_TRUE(status.ok()) << length << ": " << status;
    ASSERT_TRUE(sink.head.has_value());
    ASSERT_EQ(sink.bytes, piece.bytes) << length;
  }
}

TEST_P(TransferConformance, DeliversAPieceWithoutDigest) {
  const PieceRequest request = Ask(1, 1000);
  MemoryPiece piece = PieceFor(request);
  piece.head.crc32.reset();
  provider_.Put(request.key, request.number, piece);
  RecordingSink sink;
  const absl::Status status = Fetch(request, sink);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink.head->crc32, std::nullopt);
  EXPECT_EQ(sink.bytes, piece.bytes);
}

TEST_P(TransferConformance, TellsOfAMissingPieceAsRefused) {
  RecordingSink sink;
  const absl::Status status = Fetch(Ask(3, 1000), sink);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentRefused) << status;
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_FALSE(sink.head.has_value());
  ExpectWorksStill();
}

TEST_P(TransferConformance, KeepsPiecesOfAnotherKindApart) {
  const PieceRequest mine = Ask(3, 1000);
  PieceRequest other = mine;
  other.key.kind = mine.key.kind == common::id::TaskKind::kStandard
                       ? common::id::TaskKind::kPersistent
                       : common::id::TaskKind::kStandard;
  provider_.Put(other.key, other.number, PieceFor(other));
  RecordingSink sink;
  EXPECT_TRUE(absl::IsNotFound(Fetch(mine, sink)));
}

TEST_P(TransferConformance, TellsOfAParentsTroubleWithoutItsDetails) {
  provider_.FailWith(common::status::MakeStatus(absl::StatusCode::kInternal,
                                                ErrorReason::kDiskFault, "/data/secret/path: EIO"));
  RecordingSink sink;
  const absl::Status status = Fetch(Ask(3, 1000), sink);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentRefused) << status;
  EXPECT_EQ(std::string(status.message()).find("secret"), std::string::npos) << status;
  provider_.FailWith(absl::OkStatus());
  ExpectWorksStill();
}

TEST_P(TransferConformance, CorruptedBytesAreDeliveredAndTheirChecksumTells) {
  const PieceRequest request = Ask(2, 600000);
  MemoryPiece piece = PieceFor(request);
  piece.bytes[300000] ^= std::byte{1};
  provider_.Put(request.key, request.number, piece);
  RecordingSink sink;
  ASSERT_TRUE(Fetch(request, sink).ok());
  EXPECT_EQ(sink.bytes, piece.bytes);
  EXPECT_NE(common::digest::Crc32(sink.bytes), sink.head->crc32);
}

TEST_P(TransferConformance, Sec_D30_HeadOfAnotherPieceIsRefusedBeforeTheSinkSeesIt) {
  const auto lie = [this](const std::function<void(PieceHead&)>& change) {
    const PieceRequest request = Ask(5, 5000);
    MemoryPiece piece = PieceFor(request);
    change(piece.head);
    piece.bytes = PatternBytes(static_cast<size_t>(piece.head.length), 1);
    provider_.Put(request.key, request.number, piece);
    RecordingSink sink;
    const absl::Status status = Fetch(request, sink);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << status;
    EXPECT_FALSE(sink.head.has_value());
    EXPECT_TRUE(sink.bytes.empty());
  };
  lie([](PieceHead& head) { head.number = 6; });
  lie([](PieceHead& head) { head.offset += 1; });
  lie([](PieceHead& head) { head.offset = 0; });
  lie([](PieceHead& head) { head.length = 4999; });
  lie([](PieceHead& head) { head.length = 5001; });
  lie([](PieceHead& head) { head.length = 0; });
  ExpectWorksStill();
}

TEST_P(TransferConformance, AParentThatFailsInTheMiddleIsAnErrorAndNoShortPiece) {
  const PieceRequest request = Ask(4, uint64_t{2} << 20);
  MemoryPiece piece = PieceFor(request);
  piece.fails_at = uint64_t{1} << 20;
  provider_.Put(request.key, request.number, piece);
  RecordingSink sink;
  const absl::Status status = Fetch(request, sink);
  // Not a liar: it broke down.
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentUnreachable) << status;
  EXPECT_LT(sink.bytes.size(), piece.bytes.size());
  ExpectWorksStill();
}

TEST_P(TransferConformance, AnErrorOfTheSinkEndsTheFetch) {
  const PieceRequest request = Ask(4, uint64_t{4} << 20);
  Offer(request);
  RecordingSink refuses_head;
  refuses_head.head_answer = absl::AbortedError("somebody writes it");
  EXPECT_EQ(Fetch(request, refuses_head), refuses_head.head_answer);
  EXPECT_TRUE(refuses_head.bytes.empty());
  RecordingSink refuses_bytes;
  refuses_bytes.on_bytes = [] { return absl::ResourceExhaustedError("disk full"); };
  EXPECT_TRUE(absl::IsResourceExhausted(Fetch(request, refuses_bytes)));
  ExpectWorksStill();
}

TEST_P(TransferConformance, CancellingInTheMiddleEndsBothSides) {
  const PieceRequest request = Ask(4, uint64_t{32} << 20);
  Offer(request);
  RecordingSink sink;
  absl::Status status;
  const PieceTarget target = Target();
  common::async::RunToEnd(executor(), [&]() -> common::async::Co<void> {
    common::async::CancelScope scope(executor(), absl::Minutes(1));
    sink.on_bytes = [&scope] {
      scope.Cancel(absl::CancelledError("the caller went away"));
      return absl::OkStatus();
    };
    status = co_await transport_->client().Fetch(scope, target, request, sink);
  });
  EXPECT_EQ(status, absl::CancelledError("the caller went away"));
  EXPECT_LT(sink.bytes.size(), request.length);
  WaitUntil([this] { return provider_.open_pieces() == 0; });
  ExpectWorksStill();
}

TEST_P(TransferConformance, ADeadlineEndsTheWaitForAPieceThatNeverComes) {
  const PieceRequest request = Ask(4, 1000);
  provider_.PutPending(request.key, request.number);
  RecordingSink sink;
  const absl::Status status =
      FetchNow(executor(), transport_->client(), Target(), request, sink, absl::Milliseconds(200));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kTimeout) << status;
  ExpectWorksStill();
}

TEST_P(TransferConformance, ASlowSinkGetsEverything) {
  const PieceRequest request = Ask(4, uint64_t{4} << 20);
  const MemoryPiece piece = Offer(request);
  RecordingSink sink;
  sink.on_bytes = [] {
    absl::SleepFor(absl::Milliseconds(2));
    return absl::OkStatus();
  };
  const absl::Status status = Fetch(request, sink);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink.bytes, piece.bytes);
}

TEST_P(TransferConformance, SixtyFourFetchesAtOnce) {
  constexpr core::PieceNumber kFetches = 64;
  std::vector<MemoryPiece> pieces;
  std::vector<PieceTarget> targets;
  for (core::PieceNumber i = 0; i < kFetches; ++i) {
    pieces.push_back(Offer(Ask(i, 300000 + i)));
    targets.push_back(Target());
  }
  std::vector<RecordingSink> sinks(kFetches);
  std::vector<absl::Status> results(kFetches);
  // Half of them on each core, as tasks are placed.
  for (size_t core = 0; core < 2; ++core) {
    common::async::RunToEnd(executor(core), [&, core]() -> common::async::Co<void> {
      common::async::CancelScope scope(executor(core), absl::Minutes(1));
      auto fetch = [&](core::PieceNumber i) -> common::async::Co<void> {
        results[i] =
            co_await transport_->client().Fetch(scope, targets[i], Ask(i, 300000 + i), sinks[i]);
      };
      common::async::TaskGroup group(executor(core));
      for (core::PieceNumber i = 0; i < kFetches; ++i) {
        if (i % 2 == core) group.Spawn(fetch(i));
      }
      co_await group.Join();
    });
  }
  for (core::PieceNumber i = 0; i < kFetches; ++i) {
    ASSERT_TRUE(results[i].ok()) << i << ": " << results[i];
    ASSERT_EQ(sinks[i].bytes, pieces[i].bytes) << i;
  }
}

TEST_P(TransferConformance, AnUnreachableParentIsToldAsSuch) {
  transport_->StopServing();
  RecordingSink sink;
  const absl::Status status = Fetch(Ask(0, 1000), sink);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentUnreachable) << status;
}

TEST_P(TransferConformance, AServerThatStopsWhileSendingEndsTheFetch) {
  const PieceRequest request = Ask(4, uint64_t{32} << 20);
  Offer(request);
  RecordingSink sink;
  std::atomic<bool> begun = false;
  std::atomic<bool> stopped = false;
  sink.on_bytes = [&] {
    begun = true;
    while (!stopped) absl::SleepFor(absl::Milliseconds(1));
    return absl::OkStatus();
  };
  std::thread stopper([&] {
    while (!begun) absl::SleepFor(absl::Milliseconds(1));
    transport_->StopServing();
    stopped = true;
  });
  // On a thread of its own, which the sink may block.
  common::async::Runtime child(1, "child");
  const absl::Status status =
      FetchNow(child.executor(0), transport_->client(), Target(), request, sink);
  stopper.join();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentUnreachable) << status;
  EXPECT_LT(sink.bytes.size(), request.length);
  EXPECT_EQ(provider_.open_pieces(), 0);
}

}  // namespace dragonfly::dfdaemon::transfer::testing
