#include "scheduler/replica/memory_peer_store.h"

#include <gtest/gtest.h>

#include "scheduler/replica/testing/peer_store_conformance.h"

namespace dragonfly::scheduler::replica::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Memory, PeerStoreConformance,
    ::testing::Combine(
        ::testing::Values(common::id::TaskKind::kPersistent,
                          common::id::TaskKind::kPersistentCache),
        ::testing::Values([](std::function<absl::Time()> now) -> std::unique_ptr<PeerStore> {
          return std::make_unique<MemoryPeerStore>(std::move(now), MemoryPeerStore::Limits());
        })));

TEST(MemoryPeerStore, ItsLimitsAreErrorsAndChangeNothing) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  MemoryPeerStore::Limits limits;
  limits.max_tasks = 1;
  limits.max_peers = 1;
  limits.max_pieces = 100;
  MemoryPeerStore store([now] { return now; }, limits);
  ReplicaTask task;
  task.key = {common::id::TaskKind::kPersistent, "a"};
  task.created_at = now;
  task.time_to_live = absl::Hours(1);
  ASSERT_TRUE(store.PutTask(task).ok());
  ASSERT_TRUE(store.PutTask(task).ok()) << "the same again";
  ReplicaTask second = task;
  second.key.id = "b";
  EXPECT_TRUE(absl::IsResourceExhausted(store.PutTask(second)));
  ReplicaPeer peer;
  peer.id = "p";
  peer.task = task.key;
  peer.host_id = "h";
  ASSERT_TRUE(store.PutPeer(peer).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(
      store.AddPieces(common::id::TaskKind::kPersistent, "p", {100}, now)));
  ReplicaPeer other = peer;
  other.id = "q";
  EXPECT_TRUE(absl::IsResourceExhausted(store.PutPeer(other)));
}

}  // namespace
}  // namespace dragonfly::scheduler::replica::testing
