// Disks that fail, fill up or lose what was not synced: never a wrong byte, and work goes on
// afterwards.

#include <cerrno>

#include "common/os/faulty_env.h"
#include "tests/unit/dfdaemon_storage/store_world.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr uint64_t kTwoBlocks = 2 * kBlockBytes;
constexpr PieceNumber kPieces = 4;
constexpr uint64_t kTail = 1000;
constexpr uint64_t kLength = (kPieces - 1) * kTwoBlocks + kTail;

uint64_t LengthOf(PieceNumber number) { return number + 1 == kPieces ? kTail : kTwoBlocks; }

// Two tasks, one deleted on the way; errors end nothing.
void Work(common::os::Env& env) {
  absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(env, KeepOptions());
  if (!store.ok()) return;
  for (char letter : {'a', 'b'}) {
    absl::StatusOr<std::shared_ptr<TaskFile>> task =
        (*store)->Create(KeyOf(TaskKind::kStandard, letter), CreateFor(kTwoBlocks, kLength));
    if (!task.ok()) continue;
    for (PieceNumber number = 0; number < kPieces; ++number) {
      (void)WritePiece(**task, number, LengthOf(number), letter);
      if (number == 1) (void)(*store)->Sync();
    }
    if (letter == 'a') (void)(*store)->Delete((*task)->key());
  }
  (void)(*store)->Sync();
}

// Whatever the store says it has is right.
void ExpectNothingWrong(ContentStore& store, const std::string& when) {
  for (const TaskKey& key : store.List()) {
    absl::StatusOr<std::shared_ptr<TaskFile>> task = store.Find(key);
    ASSERT_TRUE(task.ok());
    for (PieceNumber number : (*task)->FinishedPieces()) {
      const absl::StatusOr<std::string> bytes = ServePiece(**task, number);
      if (!bytes.ok()) continue;  // found to be bad, and not served
      ASSERT_EQ(*bytes, BytesOf(number * kTwoBlocks, LengthOf(number), key.id[0]))
          << when << ", piece " << number;
    }
  }
}

uint64_t CallsOfWork() {
  common::os::SimulatedEnv base;
  common::os::FaultyEnv faulty(base);
  Work(faulty);
  return faulty.calls();
}

class DiskError : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Errors, DiskError, ::testing::Values(EIO, ENOSPC, EDQUOT));

TEST_P(DiskError, Sec_B7_AnErrorAtAnyCallLeavesNoWrongByte) {
  const uint64_t calls = CallsOfWork();
  ASSERT_GT(calls, 30U);
  for (uint64_t n = 1; n <= calls; ++n) {
    common::os::SimulatedEnv base;
    common::os::FaultyEnv faulty(base, n);
    faulty.FailAt(n, GetParam());
    Work(faulty);
    faulty.ClearFaults();
    absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(faulty, KeepOptions());
    ASSERT_TRUE(store.ok()) << "after a failure of call " << n << ": " << store.status();
    ExpectNothingWrong(**store, "failure of call " + std::to_string(n));
    // It works again without anybody's help.
    absl::StatusOr<std::shared_ptr<TaskFile>> task =
        (*store)->Create(KeyOf(TaskKind::kStandard, 'c'), CreateFor(kTwoBlocks, kLength));
    ASSERT_TRUE(task.ok()) << "after a failure of call " << n << ": " << task.status();
    for (PieceNumber number = 0; number < kPieces; ++number) {
      ASSERT_TRUE(WritePiece(**task, number, LengthOf(number), 'c').ok());
    }
    EXPECT_TRUE((*task)->complete());
  }
}

void CrashAtEveryCall(bool power) {
  const uint64_t calls = CallsOfWork();
  for (uint64_t n = 1; n <= calls; ++n) {
    common::os::SimulatedEnv::Options options;
    options.seed = n;
    common::os::SimulatedEnv base(options);
    {
      common::os::FaultyEnv faulty(base, n);
      faulty.StopAfter(n);
      Work(faulty);
    }
    if (power) {
      base.Crash(common::os::SimulatedEnv::Unsynced::kMixed);
    } else {
      base.KillProcess();
    }
    absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(base, KeepOptions());
    ASSERT_TRUE(store.ok()) << "died after call " << n << ": " << store.status();
    ExpectNothingWrong(**store, "died after call " + std::to_string(n));
    absl::StatusOr<std::shared_ptr<TaskFile>> task =
        (*store)->Create(KeyOf(TaskKind::kStandard, 'c'), CreateFor(kTwoBlocks, kLength));
    ASSERT_TRUE(task.ok()) << "died after call " << n << ": " << task.status();
    ASSERT_TRUE(WritePiece(**task, 0, kTwoBlocks, 'c').ok());
  }
}

TEST(Crash, Sec_P2_AKilledProcessLosesNoFinishedPieceAndServesNoWrongOne) {
  CrashAtEveryCall(false);
}

TEST(Crash, Sec_P3_APowerFailureServesNoWrongPiece) { CrashAtEveryCall(true); }

TEST(Crash, Sec_P2_FinishedPiecesSurviveAKill) {
  common::os::SimulatedEnv env;
  Work(env);
  env.KillProcess();
  absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(env, KeepOptions());
  ASSERT_TRUE(store.ok());
  absl::StatusOr<std::shared_ptr<TaskFile>> task = (*store)->Find(KeyOf(TaskKind::kStandard, 'b'));
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE((*task)->complete());
  for (PieceNumber number = 0; number < kPieces; ++number)
    EXPECT_TRUE(ServePiece(**task, number).ok());
  EXPECT_FALSE((*store)->Find(KeyOf(TaskKind::kStandard, 'a')).ok()) << "deleted";
}

TEST(FullDisk, ADeleteIsRecordedWhenNothingElseFits) {
  common::os::SimulatedEnv env;
  absl::StatusOr<std::unique_ptr<ContentStore>> store = OpenStore(env, KeepOptions());
  ASSERT_TRUE(store.ok());
  absl::StatusOr<std::shared_ptr<TaskFile>> task =
      (*store)->Create(KeyOf(TaskKind::kStandard, 'a'), CreateFor(kTwoBlocks, kLength));
  ASSERT_TRUE(task.ok());
  env.SetCapacity(1);
  EXPECT_TRUE((*store)->Delete((*task)->key()).ok());
  task->reset();
  store->reset();
  env.KillProcess();
  store = OpenStore(env, KeepOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->List().empty());
}

}  // namespace
}  // namespace dragonfly::dfdaemon::storage
