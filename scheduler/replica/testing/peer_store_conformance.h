#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "scheduler/replica/peer_store.h"

namespace dragonfly::scheduler::replica::testing {

// What every PeerStore does alike, for both kinds. Use: INSTANTIATE_TEST_SUITE_P(Name,
// PeerStoreConformance, Combine(Values(kinds...), Values(MakeStore))). The store reads the time
// from the clock that it is given.
using MakeStore = std::function<std::unique_ptr<PeerStore>(std::function<absl::Time()> now)>;

class PeerStoreConformance
    : public ::testing::TestWithParam<std::tuple<common::id::TaskKind, MakeStore>> {
 protected:
  using TaskKey = common::id::TaskKey;
  using TaskKind = common::id::TaskKind;

  PeerStoreConformance() : store_(std::get<1>(GetParam())([this] { return now_; })) {}

  TaskKind kind() const { return std::get<0>(GetParam()); }
  TaskKind other_kind() const {
    return kind() == TaskKind::kPersistent ? TaskKind::kPersistentCache : TaskKind::kPersistent;
  }
  TaskKey Key(const std::string& id) const { return {kind(), id}; }
  ReplicaTask MakeTask(const std::string& id, absl::Duration ttl = absl::Hours(1)) const {
    ReplicaTask task;
    task.key = Key(id);
    task.persistent_replica_count = 2;
    task.tag = "t:g";
    task.application = "\xc3\xa4pp";
    task.piece_length = 4 << 20;
    task.content_length = 10'000'000'000'000;
    task.piece_count = 3;
    task.state = "Succeeded";
    task.time_to_live = ttl;
    task.created_at = now_;
    task.updated_at = now_;
    return task;
  }
  ReplicaPeer MakePeer(const std::string& id, const std::string& task,
                       const std::string& host = "host") const {
    ReplicaPeer peer;
    peer.id = id;
    peer.task = Key(task);
    peer.host_id = host;
    peer.finished_pieces = {true, false, true};
    peer.state = "Running";
    peer.block_parents = {"bad", "worse"};
    peer.cost = absl::Milliseconds(1500);
    peer.concurrent_piece_count = 8;
    peer.created_at = now_;
    peer.updated_at = now_;
    return peer;
  }
  static std::vector<std::string> IdsOf(const absl::StatusOr<std::vector<ReplicaPeer>>& peers) {
    EXPECT_TRUE(peers.ok()) << peers.status();
    std::vector<std::string> ids;
    if (peers.ok()) {
      for (const ReplicaPeer& peer : *peers) ids.push_back(peer.id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  using Ids = std::vector<std::string>;

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::unique_ptr<PeerStore> store_;
};

TEST_P(PeerStoreConformance, TasksAndPeersComeBackAsTheyWerePut) {
  const ReplicaTask task = MakeTask("a");
  const ReplicaPeer peer = MakePeer("p", "a");
  ASSERT_TRUE(store_->PutTask(task).ok());
  ASSERT_TRUE(store_->PutPeer(peer).ok());
  ASSERT_TRUE(store_->Task(Key("a")).ok());
  EXPECT_EQ(*store_->Task(Key("a")), task);
  ASSERT_TRUE(store_->Peer(kind(), "p").ok());
  EXPECT_EQ(*store_->Peer(kind(), "p"), peer);
}

TEST_P(PeerStoreConformance, WhatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(store_->Task(Key("a")).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Peer(kind(), "p").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->AddPieces(kind(), "p", {1}, now_)));
  EXPECT_TRUE(store_->DeleteTask(Key("a")).ok());
  EXPECT_TRUE(store_->DeletePeer(kind(), "p").ok());
  EXPECT_EQ(IdsOf(store_->PeersOfTask(Key("a"))), Ids());
  EXPECT_EQ(IdsOf(store_->PeersOfHost(kind(), "h")), Ids());
  EXPECT_EQ(store_->CountReplicas(Key("a"))->peers, 0U);
}

TEST_P(PeerStoreConformance, EqualIdsOfAnotherKindAreAnotherThing) {
  ASSERT_TRUE(store_->PutTask(MakeTask("a")).ok());
  ASSERT_TRUE(store_->PutPeer(MakePeer("p", "a")).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Task({other_kind(), "a"}).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Peer(other_kind(), "p").status()));
  EXPECT_EQ(IdsOf(store_->PeersOfHost(other_kind(), "host")), Ids());
  EXPECT_TRUE(store_->DeleteTask({other_kind(), "a"}).ok());
  EXPECT_TRUE(store_->Task(Key("a")).ok());
}

TEST_P(PeerStoreConformance, StandardTasksAreRefused) {
  ReplicaTask task = MakeTask("a");
  task.key.kind = TaskKind::kStandard;
  EXPECT_TRUE(absl::IsInvalidArgument(store_->PutTask(task)));
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Task(task.key).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store_->PutTask(MakeTask(""))));
}

TEST_P(PeerStoreConformance, APeerNeedsItsTaskAndKeepsItAndItsHost) {
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->PutPeer(MakePeer("p", "a"))));
  ASSERT_TRUE(store_->PutTask(MakeTask("a")).ok());
  ASSERT_TRUE(store_->PutTask(MakeTask("b")).ok());
  ASSERT_TRUE(store_->PutPeer(MakePeer("p", "a")).ok());
  EXPECT_FALSE(store_->PutPeer(MakePeer("p", "b")).ok());
  EXPECT_FALSE(store_->PutPeer(MakePeer("p", "a", "elsewhere")).ok());
  EXPECT_EQ(store_->Peer(kind(), "p")->task, Key("a"));
}

TEST_P(PeerStoreConformance, ReplacingATaskKeepsItsPeers) {
  ASSERT_TRUE(store_->PutTask(MakeTask("a")).ok());
  ASSERT_TRUE(store_->PutPeer(MakePeer("p", "a")).ok());
  ReplicaTask changed = MakeTask("a");
  changed.state = "Failed";
  ASSERT_TRUE(store_->PutTask(changed).ok());
  EXPECT_EQ(store_->Task(Key("a"))->state, "Failed");
  EXPECT_EQ(IdsOf(store_->PeersOfTask(Key("a"))), Ids{"p"});
}

TEST_P(PeerStoreConformance, PiecesAreAdded) {
  ASSERT_TRUE(store_->PutTask(MakeTask("a")).ok());
  ASSERT_TRUE(store_->PutPeer(MakePeer("p", "a")).ok());
  ASSERT_TRUE(store_->AddPieces(kind(), "p", {70, 1}, now_ + absl::Seconds(5)).ok());
  const ReplicaPeer peer = *store_->Peer(kind(), "p");
  ASSERT_EQ(peer.finished_pieces.size(), 71U);
  for (size_t number : {0U, 1U, 2U, 70U}) EXPECT_TRUE(peer.finished_pieces[number]) << number;
  EXPECT_FALSE(peer.finished_pieces[3]);
  EXPECT_EQ(peer.updated_at, now_ + absl::Seconds(5));
}

TEST_P(PeerStoreConformance, ReplicasAreCounted) {
  ASSERT_TRUE(store_->PutTask(MakeTask("a")).ok());
  for (int i = 0; i < 3; ++i) {
    ReplicaPeer peer = MakePeer("p" + std::to_string(i), "a", "h" + std::to_string(i));
    peer.persistent = i == 1;
    ASSERT_TRUE(store_->PutPeer(peer).ok());
  }
  EXPECT_EQ(store_->CountReplicas(Key("a"))->peers, 3U);
  EXPECT_EQ(store_->CountReplicas(Key("a"))->persistent, 1U);
  ReplicaPeer promoted = *store_->Peer(kind(), "p0");
  promoted.persistent = true;
  ASSERT_TRUE(store_->PutPeer(promoted).ok());
  EXPECT_EQ(store_->CountReplicas(Key("a"))->persistent, 2U);
  ASSERT_TRUE(store_->DeletePeer(kind(), "p1").ok());
  EXPECT_EQ(store_->CountReplicas(Key("a"))->peers, 2U);
  EXPECT_EQ(store_->CountReplicas(Key("a"))->persistent, 1U);
}

TEST_P(PeerStoreConformance, PeersAreFoundByTaskAndByHost) {
  for (const char* task : {"a", "b"}) {
    ASSERT_TRUE(store_->PutTask(MakeTask(task)).ok());
    for (const char* host : {"x", "y"})
      ASSERT_TRUE(store_->PutPeer(MakePeer(std::string(task) + host, task, host)).ok());
  }
  EXPECT_EQ(IdsOf(store_->PeersOfTask(Key("a"))), (Ids{"ax", "ay"}));
  EXPECT_EQ(IdsOf(store_->PeersOfHost(kind(), "x")), (Ids{"ax", "bx"}));
  ASSERT_TRUE(store_->DeleteTask(Key("a")).ok());
  EXPECT_EQ(IdsOf(store_->PeersOfHost(kind(), "x")), Ids{"bx"});
  EXPECT_TRUE(absl::IsNotFound(store_->Peer(kind(), "ax").status()));
}

TEST_P(PeerStoreConformance, ATaskThatHasExpiredIsGoneWithItsPeers) {
  ASSERT_TRUE(store_->PutTask(MakeTask("short", absl::Minutes(1))).ok());
  ASSERT_TRUE(store_->PutTask(MakeTask("long", absl::Hours(1))).ok());
  ASSERT_TRUE(store_->PutPeer(MakePeer("p", "short")).ok());
  now_ += absl::Seconds(59);
  EXPECT_TRUE(store_->Task(Key("short")).ok());
  now_ += absl::Seconds(1);
  EXPECT_TRUE(absl::IsNotFound(store_->Task(Key("short")).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Peer(kind(), "p").status()));
  EXPECT_EQ(IdsOf(store_->PeersOfHost(kind(), "host")), Ids());
  EXPECT_EQ(store_->Tasks(kind(), "", 10)->size(), 1U);
}

TEST_P(PeerStoreConformance, ALongerLifeCounts) {
  ASSERT_TRUE(store_->PutTask(MakeTask("a", absl::Minutes(1))).ok());
  ReplicaTask longer = MakeTask("a", absl::Hours(2));
  ASSERT_TRUE(store_->PutTask(longer).ok());
  now_ += absl::Hours(1);
  EXPECT_TRUE(store_->Task(Key("a")).ok());
}

TEST_P(PeerStoreConformance, TasksAreListedInPages) {
  for (const char* id : {"d", "a", "c", "b"}) ASSERT_TRUE(store_->PutTask(MakeTask(id)).ok());
  std::vector<std::string> ids;
  for (std::string after;;) {
    const auto page = store_->Tasks(kind(), after, 3);
    ASSERT_TRUE(page.ok());
    if (page->empty()) break;
    for (const ReplicaTask& task : *page) ids.push_back(task.key.id);
    after = ids.back();
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"a", "b", "c", "d"}));
}

}  // namespace dragonfly::scheduler::replica::testing
