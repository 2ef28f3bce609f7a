#include "dfdaemon/upload/store_piece_provider.h"

#include <thread>

#include "absl/time/clock.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"
#include "common/telemetry/metrics.h"
#include "dfdaemon/transfer/testing/recording_sink.h"
#include "dfdaemon/transfer/vortex_tcp_client.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"
#include "tests/unit/dfdaemon_upload/upload_test_util.h"

namespace dragonfly::dfdaemon::upload {
namespace {

namespace async = common::async;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::ReasonOf;

class StorePieceProviderTest : public ::testing::TestWithParam<TaskKind> {
 protected:
  static storage::TaskKey Key() { return StoreWorld::Key(GetParam()); }
  StorePieceProvider& Provider(StorePieceProviderOptions options = StorePieceProviderOptions()) {
    provider_ = std::make_unique<StorePieceProvider>(
        options, world_.store(), common::os::PosixEnv().clock(), limit_, &metrics_);
    return *provider_;
  }
  absl::StatusOr<std::unique_ptr<transfer::ServedPiece>> Open(
      StorePieceProvider& provider, core::PieceNumber number,
      absl::Duration timeout = absl::Seconds(30)) {
    absl::StatusOr<std::unique_ptr<transfer::ServedPiece>> piece = absl::UnknownError("not run");
    async::RunToEnd(runtime_.executor(0), [&]() -> async::Co<void> {
      async::CancelScope scope(runtime_.executor(0), timeout);
      piece = co_await provider.Open(scope, Key(), number);
    });
    return piece;
  }

  async::Runtime runtime_{1, "upload"};
  StoreWorld world_;
  common::telemetry::Registry registry_;
  UploadMetrics metrics_{registry_};
  std::shared_ptr<common::limit::TokenBucket> limit_;
  std::unique_ptr<StorePieceProvider> provider_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StorePieceProviderTest,
                         ::testing::ValuesIn(common::id::kAllTaskKinds));

TEST_P(StorePieceProviderTest, OpensAFinishedPieceWithWhatIsKnownOfIt) {
  auto file = world_.Create(2 * kPieceLength + 100, Key());
  StoreWorld::Write(*file, 2);
  auto piece = Open(Provider(), 2);
  ASSERT_TRUE(piece.ok()) << piece.status();
  const transfer::PieceHead& head = (*piece)->head();
  const std::vector<std::byte> bytes = StoreWorld::Bytes(*file, 2);
  EXPECT_EQ(head.number, 2u);
  EXPECT_EQ(head.offset, 2 * kPieceLength);
  EXPECT_EQ(head.length, 100u);
  EXPECT_EQ(head.crc32, common::digest::Crc32(bytes));
  EXPECT_EQ(head.parent_id, "parent-1");
  EXPECT_EQ(head.cost, absl::Seconds(3));
  std::vector<std::byte> got(50);
  ASSERT_TRUE((*piece)->ReadAt(50, got).ok());
  EXPECT_TRUE(std::equal(got.begin(), got.end(), bytes.begin() + 50));
}

TEST_P(StorePieceProviderTest, KnowsNoPieceOfAnUnknownTaskOrBeyondTheEnd) {
  StorePieceProvider& provider = Provider();
  EXPECT_TRUE(absl::IsNotFound(Open(provider, 0).status()));
  auto file = world_.Create(2 * kPieceLength, Key());
  StoreWorld::Write(*file, 0);
  EXPECT_TRUE(absl::IsNotFound(Open(provider, 2).status()));
  StoreWorld::Write(*file, 1);
  EXPECT_TRUE(absl::IsNotFound(Open(provider, 7).status()));
}

TEST_P(StorePieceProviderTest, WaitsForAPieceThatIsOnItsWay) {
  auto file = world_.Create(3 * kPieceLength, Key());
  StorePieceProvider& provider = Provider();
  std::thread writer([&file] {
    absl::SleepFor(absl::Milliseconds(20));  // only makes it likely that Open waits already
    StoreWorld::Write(*file, 0);
    StoreWorld::Write(*file, 1);
  });
  auto piece = Open(provider, 1);
  writer.join();
  ASSERT_TRUE(piece.ok()) << piece.status();
  EXPECT_EQ((*piece)->head().number, 1u);
}

TEST_P(StorePieceProviderTest, StopsWaitingAtItsBoundAndAtTheScopes) {
  auto file = world_.Create(3 * kPieceLength, Key());
  StorePieceProviderOptions options;
  options.wait_limit = absl::Milliseconds(30);
  EXPECT_TRUE(absl::IsNotFound(Open(Provider(options), 1).status()));
  options.wait_limit = absl::Hours(1);
  const absl::Status status = Open(Provider(options), 1, absl::Milliseconds(30)).status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kTimeout) << status;
}

TEST_P(StorePieceProviderTest, DeletingTheTaskEndsTheWait) {
  auto file = world_.Create(3 * kPieceLength, Key());
  StorePieceProviderOptions options;
  options.wait_limit = absl::Hours(1);
  StorePieceProvider& provider = Provider(options);
  std::thread deleter([this] {
    absl::SleepFor(absl::Milliseconds(20));
    ASSERT_TRUE(world_.store().Delete(Key()).ok());
  });
  const absl::Status status = Open(provider, 1).status();
  deleter.join();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

TEST_P(StorePieceProviderTest, AnOpenPieceOutlivesItsTask) {
  auto file = world_.Create(kPieceLength, Key());
  StoreWorld::Write(*file, 0);
  auto piece = Open(Provider(), 0);
  ASSERT_TRUE(piece.ok()) << piece.status();
  const std::vector<std::byte> bytes = StoreWorld::Bytes(*file, 0);
  ASSERT_TRUE(world_.store().Delete(Key()).ok());
  file.reset();
  std::vector<std::byte> got(bytes.size());
  ASSERT_TRUE((*piece)->ReadAt(0, got).ok());
  EXPECT_EQ(got, bytes);
}

TEST_P(StorePieceProviderTest, CountsUploadsAndTheirBytes) {
  auto file = world_.Create(kPieceLength, Key());
  StoreWorld::Write(*file, 0);
  StorePieceProvider& provider = Provider();
  {
    auto piece = Open(provider, 0);
    ASSERT_TRUE(piece.ok());
    EXPECT_EQ(provider.concurrent_uploads(), 1u);
    EXPECT_NE(registry_.Scrape().find("dragonfly_client_concurrent_upload_piece_total 1"),
              std::string::npos);
    (*piece)->OnSent(1000);
  }
  EXPECT_EQ(provider.concurrent_uploads(), 0u);
  EXPECT_EQ(provider.uploaded_bytes(), 1000u);
  const std::string page = registry_.Scrape();
  EXPECT_NE(page.find("dragonfly_client_concurrent_upload_piece_total 0"), std::string::npos);
  EXPECT_NE(page.find("dragonfly_client_upload_traffic 1000"), std::string::npos);
}

TEST_P(StorePieceProviderTest, RefusesUploadsBeyondItsLimit) {
  auto file = world_.Create(kPieceLength, Key());
  StoreWorld::Write(*file, 0);
  StorePieceProviderOptions options;
  options.max_concurrent = 1;
  StorePieceProvider& provider = Provider(options);
  {
    auto first = Open(provider, 0);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(ReasonOf(Open(provider, 0).status()), ErrorReason::kOverloaded);
  }
  EXPECT_TRUE(Open(provider, 0).ok());
}

TEST_P(StorePieceProviderTest, AdmitTakesFromTheBandwidthAndGivesBackWhenCancelled) {
  common::limit::TokenBucket::Options bucket;
  bucket.rate_per_second = 1000;
  bucket.burst = 1000;
  limit_ = std::make_shared<common::limit::TokenBucket>(bucket);
  StorePieceProvider& provider = Provider();
  const auto admit = [&](uint64_t bytes, absl::Duration timeout) {
    absl::Status status;
    async::RunToEnd(runtime_.executor(0), [&]() -> async::Co<void> {
      async::CancelScope scope(runtime_.executor(0), timeout);
      status = co_await provider.Admit(scope, bytes);
    });
    return status;
  };
  EXPECT_TRUE(admit(1000, absl::Minutes(1)).ok());
  // An hour's worth: the scope ends first, and what was reserved is there for others again.
  EXPECT_EQ(ReasonOf(admit(3600000, absl::Milliseconds(20))), ErrorReason::kTimeout);
  EXPECT_TRUE(admit(10, absl::Minutes(1)).ok());
}

// The whole way: one store, the wire, another store.
TEST_P(StorePieceProviderTest, PiecesTravelFromStoreToStore) {
  auto file = world_.Create(5 * kPieceLength + 77, Key());
  for (core::PieceNumber number = 0; number < 6; ++number) StoreWorld::Write(*file, number);
  StorePieceProvider& provider = Provider();
  constexpr size_t kBlock = transfer::BlockPool::kHeadroom + core::kBlockBytes;
  transfer::BlockPool pool(kBlock, 4 * kBlock);
  transfer::VortexTcpServerOptions options;
  options.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
  const std::vector<async::Executor> executors = {runtime_.executor(0)};
  transfer::VortexTcpServer server(options, executors, provider, pool);
  ASSERT_TRUE(server.Start().ok());
  transfer::VortexTcpClient client(transfer::VortexTcpClientOptions(), executors, pool);
  StoreWorld child;
  auto copy = child.Create(5 * kPieceLength + 77, Key());

  class Sink final : public transfer::PieceSink {
   public:
    explicit Sink(storage::TaskFile& file) : file_(file) {}
    absl::Status OnHead(const transfer::PieceHead& head) override {
      crc32_ = head.crc32;
      auto writer = file_.Begin(head.number);
      if (!writer.ok()) return writer.status();
      writer_ = std::move(*writer);
      return absl::OkStatus();
    }
    absl::Status OnBytes(std::span<const std::byte> bytes, bool verified) override {
      return writer_->Write(bytes, verified);
    }
    absl::Status Commit() {
      return writer_->Commit(crc32_, "p", core::TrafficType::kRemotePeer, absl::Seconds(1))
          .status();
    }

   private:
    storage::TaskFile& file_;
    std::unique_ptr<storage::PieceWriter> writer_;
    std::optional<uint32_t> crc32_;
  };
  for (core::PieceNumber number = 0; number < 6; ++number) {
    transfer::PieceTarget target;
    target.endpoint = server.endpoint();
    target.keepalive = number % 2 == 0;
    transfer::PieceRequest request;
    request.key = Key();
    request.number = number;
    request.offset = number * kPieceLength;
    request.length = file->meta().geometry.length_of(number);
    Sink sink(*copy);
    const absl::Status fetched =
        transfer::testing::FetchNow(runtime_.executor(0), client, target, request, sink);
    ASSERT_TRUE(fetched.ok()) << fetched;
    ASSERT_TRUE(sink.Commit().ok());
  }
  EXPECT_TRUE(copy->complete());
  std::vector<std::byte> mine(5 * kPieceLength + 77);
  std::vector<std::byte> theirs(mine.size());
  ASSERT_TRUE(file->ReadAt(0, mine).ok());
  ASSERT_TRUE(copy->ReadAt(0, theirs).ok());
  EXPECT_EQ(mine, theirs);
  EXPECT_EQ(provider.uploaded_bytes(), mine.size());
}

}  // namespace
}  // namespace dragonfly::dfdaemon::upload
