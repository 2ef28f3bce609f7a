#include "dfdaemon/node/manager_answer.h"

#include <gtest/gtest.h>

#include "common/status/strings.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::dfdaemon::node {
namespace {

using ::manager::v2::ListSchedulersResponse;
using ::manager::v2::Scheduler;

Scheduler& Add(ListSchedulersResponse& answer, uint64_t cluster, const std::string& ip, int port) {
  Scheduler& scheduler = *answer.add_schedulers();
  scheduler.set_ip(ip);
  scheduler.set_port(port);
  scheduler.set_scheduler_cluster_id(cluster);
  scheduler.mutable_scheduler_cluster()->set_id(cluster);
  return scheduler;
}

std::vector<std::string> Targets(const absl::StatusOr<SchedulerList>& list) {
  std::vector<std::string> targets;
  EXPECT_TRUE(list.ok()) << list.status();
  if (!list.ok()) return targets;
  for (const auto& entry : list->entries) {
    targets.push_back(std::to_string(entry.cluster_id) + "@" + entry.target);
  }
  return targets;
}

TEST(ManagerAnswer, KeepsTheOrder) {
  ListSchedulersResponse answer;
  Add(answer, 2, "10.0.0.9", 8002);
  Add(answer, 1, "fd00::1", 8002);
  Add(answer, 2, "10.0.0.1", 8003);
  EXPECT_EQ(Targets(ReadAnswer(answer, {})),
            (std::vector<std::string>{"2@10.0.0.9:8002", "1@[fd00::1]:8002", "2@10.0.0.1:8003"}));
}

TEST(ManagerAnswer, IsEmptyWhereNothingIsNamed) {
  EXPECT_TRUE(Targets(ReadAnswer(ListSchedulersResponse(), {})).empty());
}

TEST(ManagerAnswer, LeavesOutWhatCannotBeDialled) {
  ListSchedulersResponse answer;
  Add(answer, 1, "", 8002);
  Add(answer, 1, "scheduler.example.com", 8002);
  Add(answer, 1, "10.0.0.1", 0);
  Add(answer, 1, "10.0.0.1", -1);
  Add(answer, 1, "10.0.0.1", 65536);
  Add(answer, 0, "10.0.0.1", 8002);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadAnswer(answer, {}).status()));
  Add(answer, 1, "10.0.0.2", 8002);
  EXPECT_EQ(Targets(ReadAnswer(answer, {})), std::vector<std::string>{"1@10.0.0.2:8002"});
}

TEST(ManagerAnswer, Sec_NothingOfAnotherClusterThanWasAskedFor) {
  ListSchedulersResponse answer;
  Add(answer, 2, "10.0.0.1", 8002);
  Add(answer, 1, "10.0.0.2", 8002).mutable_scheduler_cluster()->set_id(2);
  AnswerRules rules;
  rules.asked_for = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(ReadAnswer(answer, rules).status()));
  Add(answer, 1, "10.0.0.3", 8002);
  EXPECT_EQ(Targets(ReadAnswer(answer, rules)), std::vector<std::string>{"1@10.0.0.3:8002"});
}

TEST(ManagerAnswer, TakesTheBlockListOfItsKindOfNode) {
  ListSchedulersResponse answer;
  Scheduler& scheduler = Add(answer, 1, "10.0.0.1", 8002);
  scheduler.mutable_scheduler_cluster()->set_client_config(
      R"({"block_list":{"task":{"download":{"tags":["peer"]}}}})");
  scheduler.mutable_scheduler_cluster()->set_seed_client_config(
      R"({"block_list":{"task":{"download":{"tags":["seed"]}}}})");
  for (const bool seed : {false, true}) {
    AnswerRules rules;
    rules.seed = seed;
    const auto list = ReadAnswer(answer, rules);
    ASSERT_TRUE(list.ok());
    BlockList::Subject subject;
    subject.tag = seed ? "seed" : "peer";
    const BlockList& blocks = *list->block_lists.at(1);
    EXPECT_TRUE(blocks.Match(BlockList::Action::kDownload, subject).has_value());
    subject.tag = seed ? "peer" : "seed";
    EXPECT_FALSE(blocks.Match(BlockList::Action::kDownload, subject).has_value());
  }
}

TEST(ManagerAnswer, Sec_D28_OurOwnClusterIsNotTakenWithABlockListThatCannotBeRead) {
  ListSchedulersResponse answer;
  Add(answer, 1, "10.0.0.1", 8002).mutable_scheduler_cluster()->set_client_config("rubbish");
  Add(answer, 2, "10.0.0.2", 8002);
  EXPECT_EQ(Targets(ReadAnswer(answer, {})), std::vector<std::string>{"2@10.0.0.2:8002"});
  AnswerRules rules;
  rules.ours = 1;
  const absl::Status status = ReadAnswer(answer, rules).status();
  ASSERT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(common::status::MessageOf(status).find("cluster 1: client_config"), std::string::npos)
      << status;
  rules.ours = 2;
  EXPECT_EQ(Targets(ReadAnswer(answer, rules)), std::vector<std::string>{"2@10.0.0.2:8002"});

  ListSchedulersResponse bare;
  Add(bare, 1, "10.0.0.1", 8002).clear_scheduler_cluster();
  EXPECT_FALSE(ReadAnswer(bare, {}).ok());
}

TEST(ManagerAnswer, IsBounded) {
  ListSchedulersResponse answer;
  for (int i = 0; i < 10'000; ++i) Add(answer, 1, "10.0.0.1", 1 + i);
  EXPECT_EQ(Targets(ReadAnswer(answer, {})).size(), 4096U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
