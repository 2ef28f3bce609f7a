#include "scheduler/job/targets.h"

#include <gtest/gtest.h>

#include "common/async/task_group.h"
#include "scheduler/job/directory_lister.h"
#include "scheduler/job/host_slots.h"
#include "tests/unit/scheduler_job/cluster_world.h"

namespace dragonfly::scheduler::job::testing {
namespace {

using common::async::CancelScope;
using common::async::Co;

HostFactsPtr Facts(const std::string& id, const std::string& ip, bool seed) {
  auto facts = std::make_shared<core::HostFacts>();
  facts->id = id;
  facts->ip = ip;
  facts->type = seed ? core::HostType::kSuperSeed : core::HostType::kNormal;
  return facts;
}

std::string Names(const std::vector<HostFactsPtr>& hosts) {
  std::string out;
  for (const HostFactsPtr& host : hosts) out += host->id;
  return out;
}

TEST(Targets, AreChosenInOrderByAddressThenCountThenShare) {
  const std::vector<HostFactsPtr> hosts = {Facts("a", "1", false), Facts("b", "2", true),
                                           Facts("c", "3", false), Facts("d", "4", false),
                                           Facts("e", "5", true)};
  Preheat preheat;
  preheat.scope = PreheatScope::kAllPeers;
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "acd");
  preheat.percentage = 67;
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "ac");
  preheat.count = 1;
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "a");
  preheat.ips = {"4", "5"};
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "d") << "addresses of the scope only";
  preheat.scope = PreheatScope::kAllSeedPeers;
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "e");
  preheat.ips = {"9"};
  EXPECT_EQ(Names(ChooseHosts(hosts, preheat)), "");
}

Co<void> Visit(std::vector<std::string>& log, HostSlots& slots, CancelScope& scope,
               std::string host, bool leaves) {
  absl::Status status = co_await slots.Enter(scope, host);
  log.push_back((status.ok() ? "+" : "-") + host);
  if (status.ok() && leaves) slots.Leave(host);
}

Co<void> CrowdOf(common::async::Executor executor, std::vector<std::string>& log) {
  HostSlots slots(executor, 2, 1);
  CancelScope scope(executor);
  CancelScope impatient(executor, absl::Milliseconds(20));
  common::async::TaskGroup group(executor);
  group.Spawn(Visit(log, slots, scope, "slow", false));
  group.Spawn(Visit(log, slots, impatient, "slow", false));
  group.Spawn(Visit(log, slots, impatient, "slow", false));
  group.Spawn(Visit(log, slots, scope, "a", true));
  group.Spawn(Visit(log, slots, scope, "b", true));
  group.Spawn(Visit(log, slots, scope, "a", true));
  co_await group.Join();
  EXPECT_EQ(slots.taken(), 1U);
  slots.Leave("slow");
  EXPECT_EQ(slots.taken(), 0U);
}

TEST(HostSlots, WhoWaitsForASlowHostTakesNobodyElsesPlace) {
  common::async::Runtime runtime(1, "slots");
  const common::async::Executor executor = runtime.executor(0);
  std::vector<std::string> entered;
  common::async::RunToEnd(executor, [&]() -> Co<void> { return CrowdOf(executor, entered); });
  EXPECT_EQ(entered, (std::vector<std::string>{"+slow", "+a", "+b", "+a", "-slow", "-slow"}));
}

class DirectoryListerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<std::string>> List(ClusterWorld& world) {
    DirectoryLister::Deps deps;
    deps.hosts = &world.table;
    deps.client = &world.daemons;
    deps.ring = [&world] { return world.ring; };
    deps.admit = [](const core::HostFacts& host) -> absl::StatusOr<DaemonAddress> {
      return DaemonAddress(host.ip, host.is_seed());
    };
    const DirectoryLister lister(deps);
    absl::StatusOr<std::vector<std::string>> files = absl::UnknownError("not run");
    world.daemons.OpenGate(true);
    common::async::RunToEnd(world.runtime.executor(0), [&]() -> Co<void> {
      return Body(world.runtime.executor(0), lister, files);
    });
    return files;
  }
  static Co<void> Body(common::async::Executor executor, const DirectoryLister& lister,
                       absl::StatusOr<std::vector<std::string>>& out) {
    CancelScope scope(executor);
    ListOrder order;
    order.url = "s3://bucket/folder/";
    order.timeout = absl::Seconds(10);
    out = co_await lister.Files(scope, std::move(order));
  }
  static FakeDaemons::Daemon Holding(std::vector<Entry> entries) {
    FakeDaemons::Daemon daemon;
    daemon.entries = std::move(entries);
    return daemon;
  }
};

TEST_F(DirectoryListerTest, AsksAPeerAndLeavesDirectoriesOut) {
  ClusterWorld world({{"p", "10.0.0.1", false, {}}, {"s", "10.0.1.1", true, {}}}, 10);
  world.daemons.Set("10.0.0.1", Holding({{"s3://bucket/folder/a", false},
                                         {"s3://bucket/folder/b/", true},
                                         {"s3://bucket/folder/c", false}}));
  const auto files = List(world);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*files, (std::vector<std::string>{"s3://bucket/folder/a", "s3://bucket/folder/c"}));
}

TEST_F(DirectoryListerTest, TriesTheNextWhenOneCannotBeReached) {
  ClusterWorld world({{"p", "10.0.0.1", false, {}}, {"q", "10.0.0.2", false, {}}}, 10);
  FakeDaemons::Daemon dead;
  dead.entries = absl::UnavailableError("connection refused");
  world.daemons.Set("10.0.0.1", dead);
  world.daemons.Set("10.0.0.2", Holding({{"s3://bucket/folder/a", false}}));
  const auto files = List(world);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->size(), 1U);
}

TEST_F(DirectoryListerTest, AsksASeedPeerWhereThereIsNoPeer) {
  ClusterWorld world({{"s", "10.0.1.1", true, {}}}, 10);
  world.daemons.Set("10.0.1.1", Holding({{"s3://bucket/folder/a", false}}));
  EXPECT_TRUE(List(world).ok());
}

TEST_F(DirectoryListerTest, NothingToListIsNotFound) {
  ClusterWorld nobody({}, 10);
  EXPECT_TRUE(absl::IsNotFound(List(nobody).status()));
  ClusterWorld empty({{"p", "10.0.0.1", false, {}}}, 10);
  EXPECT_TRUE(absl::IsNotFound(List(empty).status()));
}

}  // namespace
}  // namespace dragonfly::scheduler::job::testing
