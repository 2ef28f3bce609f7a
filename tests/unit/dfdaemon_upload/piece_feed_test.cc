#include "dfdaemon/upload/piece_feed.h"

#include <condition_variable>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "common/status/reason.h"
#include "tests/unit/dfdaemon_upload/upload_test_util.h"

namespace dragonfly::dfdaemon::upload {
namespace {

using storage::PieceInfo;
using storage::PieceNumber;

// Asks a feed and waits for the answer, with a deadline that only a hang can reach.
class Reader {
 public:
  explicit Reader(PieceFeed& feed) : feed_(feed) {}

  void Ask() {
    {
      std::lock_guard lock(mutex_);
      answer_.reset();
    }
    feed_.Next([this](absl::StatusOr<std::vector<PieceInfo>> answer) {
      std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
      answered_.notify_all();
    });
  }
  bool answered() {
    std::lock_guard lock(mutex_);
    return answer_.has_value();
  }
  absl::StatusOr<std::vector<PieceInfo>> Wait() {
    std::unique_lock lock(mutex_);
    const bool in_time =
        answered_.wait_for(lock, std::chrono::seconds(30), [this] { return answer_.has_value(); });
    if (!in_time) return absl::DeadlineExceededError("the feed says nothing");
    return *answer_;
  }
  absl::StatusOr<std::vector<PieceInfo>> Next() {
    Ask();
    return Wait();
  }

 private:
  PieceFeed& feed_;
  std::mutex mutex_;  // guards answer_
  std::condition_variable answered_;
  std::optional<absl::StatusOr<std::vector<PieceInfo>>> answer_;
};

std::vector<PieceNumber> Numbers(const std::vector<PieceInfo>& pieces) {
  std::vector<PieceNumber> numbers;
  for (const PieceInfo& piece : pieces) numbers.push_back(piece.number);
  return numbers;
}

std::vector<PieceNumber> UpTo(PieceNumber end) {
  std::vector<PieceNumber> numbers(end);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

class PieceFeedTest : public ::testing::TestWithParam<common::id::TaskKind> {
 protected:
  static storage::TaskKey Key() { return StoreWorld::Key(GetParam()); }
  std::unique_ptr<PieceFeed> Open(const std::vector<PieceNumber>& interested) {
    auto feed = PieceFeed::Open(world_.store(), Key(), interested);
    EXPECT_TRUE(feed.ok()) << feed.status();
    return std::move(*feed);
  }
  StoreWorld world_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, PieceFeedTest, ::testing::ValuesIn(common::id::kAllTaskKinds));

TEST_P(PieceFeedTest, TellsWhatIsHereAndThenWhatComes) {
  auto file = world_.Create(5 * kPieceLength, Key());
  StoreWorld::Write(*file, 3);
  StoreWorld::Write(*file, 1);
  auto feed = Open({0, 1, 3});
  Reader reader(*feed);
  auto first = reader.Next();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Numbers(*first), (std::vector<PieceNumber>{1, 3}));
  EXPECT_EQ((*first)[1].offset, 3 * kPieceLength);
  EXPECT_EQ((*first)[1].length, kPieceLength);

  reader.Ask();
  EXPECT_FALSE(reader.answered());
  StoreWorld::Write(*file, 2);  // of no interest
  EXPECT_FALSE(reader.answered());
  StoreWorld::Write(*file, 0);
  auto second = reader.Wait();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(Numbers(*second), (std::vector<PieceNumber>{0}));

  EXPECT_TRUE(absl::IsOutOfRange(reader.Next().status()));
  EXPECT_TRUE(absl::IsOutOfRange(reader.Next().status()));
}

TEST_P(PieceFeedTest, GathersWhatComesWhileTheReaderIsBusy) {
  auto file = world_.Create(3 * kPieceLength, Key());
  auto feed = Open({0, 1, 2});
  for (PieceNumber number : {2u, 0u, 1u}) StoreWorld::Write(*file, number);
  Reader reader(*feed);
  auto batch = reader.Next();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(Numbers(*batch), (std::vector<PieceNumber>{2, 0, 1}));
}

TEST_P(PieceFeedTest, TellsEachPieceOnceHoweverOftenItWasAskedFor) {
  auto file = world_.Create(2 * kPieceLength, Key());
  StoreWorld::Write(*file, 0);
  auto feed = Open({0, 0, 1, 0, 1});
  StoreWorld::Write(*file, 1);
  Reader reader(*feed);
  auto batch = reader.Next();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(Numbers(*batch), (std::vector<PieceNumber>{0, 1}));
  EXPECT_TRUE(absl::IsOutOfRange(reader.Next().status()));
}

TEST_P(PieceFeedTest, BatchesAreBounded) {
  constexpr PieceNumber kPieces = PieceFeed::kMaxBatch + 10;
  storage::CreateOptions options;
  options.piece_length = 1024;
  options.content_length = 1024 * kPieces;
  auto file = world_.store().Create(Key(), options);
  ASSERT_TRUE(file.ok());
  for (PieceNumber number = 0; number < kPieces; ++number) StoreWorld::Write(**file, number);
  auto feed = Open(UpTo(kPieces));
  Reader reader(*feed);
  auto first = reader.Next();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->size(), PieceFeed::kMaxBatch);
  auto second = reader.Next();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->size(), 10u);
}

TEST_P(PieceFeedTest, EndsAtOnceForNobodysInterest) {
  auto file = world_.Create(kPieceLength, Key());
  auto feed = Open({});
  Reader reader(*feed);
  EXPECT_TRUE(absl::IsOutOfRange(reader.Next().status()));
}

TEST_P(PieceFeedTest, EndsWhenTheTaskIsDeleted) {
  auto file = world_.Create(2 * kPieceLength, Key());
  auto feed = Open({0, 1});
  Reader reader(*feed);
  reader.Ask();
  ASSERT_TRUE(world_.store().Delete(Key()).ok());
  EXPECT_TRUE(absl::IsNotFound(reader.Wait().status()));
}

TEST_P(PieceFeedTest, KnowsNoUnknownTaskAndNoMillionsOfPieces) {
  EXPECT_TRUE(absl::IsNotFound(PieceFeed::Open(world_.store(), Key(), {0}).status()));
  auto file = world_.Create(kPieceLength, Key());
  const std::vector<PieceNumber> many(PieceFeed::kMaxInterested + 1, 0);
  EXPECT_EQ(common::status::ReasonOf(PieceFeed::Open(world_.store(), Key(), many).status()),
            common::status::ErrorReason::kInvalidArgument);
}

TEST_P(PieceFeedTest, SaysNothingOnceItIsGone) {
  auto file = world_.Create(kPieceLength, Key());
  auto feed = Open({0});
  auto answers = std::make_shared<int>(0);
  feed->Next([answers](const absl::StatusOr<std::vector<PieceInfo>>&) { ++*answers; });
  feed.reset();
  StoreWorld::Write(*file, 0);
  EXPECT_EQ(*answers, 0);
}

TEST_P(PieceFeedTest, MissesNothingThatIsWrittenMeanwhile) {
  constexpr PieceNumber kPieces = 64;
  storage::CreateOptions options;
  options.piece_length = 1024;
  options.content_length = 1024 * kPieces;
  auto file = world_.store().Create(Key(), options);
  ASSERT_TRUE(file.ok());
  std::thread writer([&file] {
    for (PieceNumber number = 0; number < kPieces; ++number) StoreWorld::Write(**file, number);
  });
  auto feed = Open(UpTo(kPieces));
  Reader reader(*feed);
  std::vector<bool> told(kPieces);
  while (true) {
    auto batch = reader.Next();
    if (!batch.ok()) {
      EXPECT_TRUE(absl::IsOutOfRange(batch.status())) << batch.status();
      break;
    }
    for (const PieceInfo& piece : *batch) {
      EXPECT_FALSE(told[piece.number]) << piece.number;
      told[piece.number] = true;
    }
  }
  writer.join();
  EXPECT_EQ(std::count(told.begin(), told.end(), true), kPieces);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::upload
