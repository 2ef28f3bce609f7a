#include "scheduler/link/manager_answer.h"

#include <gtest/gtest.h>

#include "common/status/strings.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::scheduler::link {
namespace {

using ::manager::v2::ListApplicationsResponse;
using ::manager::v2::Scheduler;

Scheduler Of(uint64_t cluster) {
  Scheduler scheduler;
  scheduler.set_scheduler_cluster_id(cluster);
  return scheduler;
}

absl::StatusOr<Snapshot> Read(const Scheduler& scheduler) {
  return ReadClusterSettings(scheduler, ListApplicationsResponse(), 1);
}

TEST(ManagerAnswer, TakesEveryLimit) {
  Scheduler scheduler = Of(1);
  scheduler.mutable_scheduler_cluster()->set_config(
      R"({"candidate_parent_limit":4,"filter_parent_limit":40,"job_rate_limit":10,"other":{}})");
  scheduler.mutable_scheduler_cluster()->set_client_config(
      R"({"load_limit":50,"block_list":{"task":{}}})");
  scheduler.add_seed_peers()->mutable_seed_peer_cluster()->set_config(R"({"load_limit":3000})");
  scheduler.add_seed_peers()->mutable_seed_peer_cluster()->set_config(R"({"load_limit":1})");
  auto settings = Read(scheduler);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->candidate_parent_limit, 4U);
  EXPECT_EQ((*settings)->filter_parent_limit, 40U);
  EXPECT_EQ((*settings)->job_rate_limit, 10U);
  EXPECT_EQ((*settings)->peer_load_limit, 50U);
  EXPECT_EQ((*settings)->seed_load_limit, 3000U);
}

TEST(ManagerAnswer, HasTheDefaultForWhatIsNotThere) {
  const core::ClusterConfig defaults;
  for (const char* json : {"", "null", "{}", R"({"candidate_parent_limit":0})",
                           R"({"candidate_parent_limit":null})"}) {
    Scheduler scheduler = Of(1);
    scheduler.mutable_scheduler_cluster()->set_config(json);
    scheduler.mutable_scheduler_cluster()->set_client_config(json);
    auto settings = Read(scheduler);
    ASSERT_TRUE(settings.ok()) << settings.status();
    EXPECT_EQ((*settings)->candidate_parent_limit, defaults.candidate_parent_limit) << json;
    EXPECT_EQ((*settings)->seed_load_limit, defaults.seed_load_limit) << json;
  }
}

TEST(ManagerAnswer, RefusesWhatIsWrongAndNamesIt) {
  struct Case {
    std::string json;
    const char* named;
  };
  for (const Case& each : {
           Case{"rubbish", "cluster 1: config: is not JSON"},
           Case{std::string("\x00\xff{", 3), "cluster 1: config: is not JSON"},
           Case{"[]", "cluster 1: config: is not a JSON object"},
           Case{"7", "cluster 1: config: is not a JSON object"},
           Case{R"({"candidate_parent_limit":21})", "config.candidate_parent_limit: '21'"},
           Case{R"({"candidate_parent_limit":-1})", "config.candidate_parent_limit: '-1'"},
           Case{R"({"candidate_parent_limit":2.5})", "config.candidate_parent_limit: '2.5'"},
           Case{R"({"candidate_parent_limit":[]})", "config.candidate_parent_limit"},
           Case{R"({"candidate_parent_limit":99999999999999999999})", "candidate_parent_limit"},
           Case{R"({"filter_parent_limit":9})", "'9' is no number from 10 to 1000"},
           Case{std::string(2 << 20, ' '), "longer than 1 MiB"},
           Case{std::string(100, '['), "32 levels"},
           Case{std::string(100, '[') + std::string(100, ']'), "32 levels"},
       }) {
    Scheduler scheduler = Of(1);
    scheduler.mutable_scheduler_cluster()->set_config(each.json);
    const absl::Status status = Read(scheduler).status();
    ASSERT_TRUE(absl::IsInvalidArgument(status)) << each.json.substr(0, 100);
    EXPECT_NE(common::status::MessageOf(status).find(each.named), std::string::npos)
        << status << " for " << each.json.substr(0, 100);
  }
}

TEST(ManagerAnswer, RefusesTheSettingsOfAnotherCluster) {
  const absl::Status status = Read(Of(2)).status();
  ASSERT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(common::status::MessageOf(status).find("manager.schedulerClusterID"), std::string::npos)
      << status;
}

TEST(ManagerAnswer, CompilesThePrioritiesOfApplications) {
  ListApplicationsResponse answer;
  auto* application = answer.add_applications();
  application->set_name("app");
  application->mutable_priority()->set_value(::common::v2::LEVEL3);
  auto* url = application->mutable_priority()->add_urls();
  url->set_regex("blobs/.*");
  url->set_value(::common::v2::LEVEL5);
  auto settings = ReadClusterSettings(Of(1), answer, 1);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)->priorities->Effective(0, "app", "http://r/blobs/1"), 5);
  EXPECT_EQ((*settings)->priorities->Effective(0, "app", "http://r/x"), 3);
  EXPECT_EQ((*settings)->priorities->Effective(0, "other", "http://r/blobs/1"), 0);

  url->set_regex("(");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadClusterSettings(Of(1), answer, 1).status()));
  url->set_regex("x");
  url->set_value(static_cast<::common::v2::Priority>(77));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadClusterSettings(Of(1), answer, 1).status()));
}

TEST(ManagerAnswer, BoundsTheApplications) {
  ListApplicationsResponse answer;
  for (size_t i = 0; i <= kMaxApplications; ++i) answer.add_applications()->set_name("a");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadClusterSettings(Of(1), answer, 1).status()));
  answer.mutable_applications()->RemoveLast();
  EXPECT_TRUE(ReadClusterSettings(Of(1), answer, 1).ok());
}

}  // namespace
}  // namespace dragonfly::scheduler::link
