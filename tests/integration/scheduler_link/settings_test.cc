#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/scheduler_link/link_world.h"

namespace dragonfly::scheduler::link {
namespace {

using Answers = tests::FakeManager::Answers;
using ManagerSettingsTest = LinkWorld;

TEST_F(ManagerSettingsTest, TakesOverWhatTheManagerSaysAndWhatChanges) {
  SetCandidates(5);
  manager_.Start();
  StartSettings();
  EXPECT_TRUE(WaitForCandidates(5));
  SetCandidates(6);
  EXPECT_TRUE(WaitForCandidates(6));
}

TEST_F(ManagerSettingsTest, ServesWithDefaultsWhileTheManagerIsNotThere) {
  SetCandidates(5);
  StartSettings();  // returns
  EXPECT_EQ(candidates(), core::ClusterConfig().candidate_parent_limit);
  manager_.Start();
  EXPECT_TRUE(WaitForCandidates(5));
}

TEST_F(ManagerSettingsTest, ServesWithTheLastGoodSettingsAfterARestart) {
  SetCandidates(5);
  manager_.Start();
  StartSettings();
  ASSERT_TRUE(WaitForCandidates(5));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(saved_path_); }));
  watch_ = nullptr;
  manager_.Stop();
  StartSettings();
  EXPECT_EQ(candidates(), 5U);
}

TEST_F(ManagerSettingsTest, ServesWhileTheManagerHangs) {
  SetCandidates(5);
  call_timeout_ = absl::Milliseconds(200);
  manager_.Edit([](Answers& answers) { answers.hang = true; });
  manager_.Start();
  StartSettings();
  ASSERT_TRUE(manager_.WaitFor("get", 2)) << "it does not wait for ever";
  manager_.Edit([](Answers& answers) { answers.hang = false; });
  EXPECT_TRUE(WaitForCandidates(5));
}

// As a process that is stopped: the kernel takes connections, nobody speaks.
TEST_F(ManagerSettingsTest, EndsAlthoughTheOtherSideNeverSpeaks) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(listener, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string port = manager_.address().substr(manager_.address().rfind(':') + 1);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(port)));
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 16), 0);
  StartSettings();
  StartPresence();
  const int first = accept(listener, nullptr, nullptr);
  EXPECT_GE(first, 0);
  EXPECT_EQ(candidates(), core::ClusterConfig().candidate_parent_limit);
  const absl::Time before = absl::Now();
  presence_->Stop();
  watch_ = nullptr;
  EXPECT_LT(absl::Now() - before, absl::Seconds(9));
  close(first);
  close(listener);
}

TEST_F(ManagerSettingsTest, KeepsTheLastGoodSettingsOverRubbish) {
  SetCandidates(5);
  manager_.Start();
  StartSettings();
  ASSERT_TRUE(WaitForCandidates(5));
  const auto says = [&](const std::function<void(Answers&)>& edit) {
    manager_.Edit(edit);
    const int before = manager_.Count("get");
    ASSERT_TRUE(manager_.WaitFor("get", before + 3));
    EXPECT_EQ(candidates(), 5U);
  };
  says([](Answers& answers) {
    answers.scheduler.mutable_scheduler_cluster()->set_config("rubbish");
  });
  says([](Answers& answers) {
    answers.scheduler.mutable_scheduler_cluster()->set_config(
        R"({"candidate_parent_limit":1000000})");
  });
  says([](Answers& answers) {  // too large for our client
    answers.scheduler.mutable_scheduler_cluster()->set_config(std::string(size_t{20} << 20, 'x'));
  });
  says([](Answers& answers) {  // of another cluster
    answers.scheduler.mutable_scheduler_cluster()->set_config("{}");
    answers.scheduler.set_scheduler_cluster_id(1);
  });
  says([](Answers& answers) { answers.get = absl::InternalError("no such scheduler"); });
  says([](Answers& answers) {
    answers.get = absl::OkStatus();
    answers.scheduler.set_scheduler_cluster_id(0);
    answers.applications_status = absl::InternalError("no database");
  });
  manager_.Edit([](Answers& answers) { answers.applications_status = absl::OkStatus(); });
  SetCandidates(7);
  EXPECT_TRUE(WaitForCandidates(7));
}

TEST_F(ManagerSettingsTest, TakesAManagerWithoutApplicationsForWhatItIs) {
  for (const absl::Status& status :
       {absl::NotFoundError("none"), absl::UnimplementedError("what?")}) {
    manager_.Edit([&](Answers& answers) { answers.applications_status = status; });
    SetCandidates(status.code() == absl::StatusCode::kNotFound ? 5 : 6);
    if (manager_.Count("get") == 0) {
      manager_.Start();
      StartSettings();
    }
    EXPECT_TRUE(WaitForCandidates(status.code() == absl::StatusCode::kNotFound ? 5 : 6));
  }
}

TEST_F(ManagerSettingsTest, UsesThePrioritiesOfApplications) {
  manager_.Edit([](Answers& answers) {
    answers.applications_status = absl::OkStatus();
    auto* application = answers.applications.add_applications();
    application->set_name("app");
    application->mutable_priority()->set_value(::common::v2::LEVEL4);
  });
  manager_.Start();
  StartSettings();
  EXPECT_TRUE(Eventually(
      [&] { return watch_->current()->priorities->Effective(0, "app", "http://x/") == 4; }));
}

TEST_F(ManagerSettingsTest, IgnoresAFileThatIsBrokenOrOfAnotherCluster) {
  SetCandidates(5);
  manager_.Start();
  StartSettings();
  ASSERT_TRUE(WaitForCandidates(5));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(saved_path_); }));
  watch_ = nullptr;
  manager_.Stop();
  identity_.cluster_id = 3;
  StartSettings();
  EXPECT_EQ(candidates(), core::ClusterConfig().candidate_parent_limit);
  watch_ = nullptr;
  identity_.cluster_id = 2;
  std::ofstream(saved_path_, std::ios::trunc) << "dragonfly-saved 1 scheduler-settings\nrubbish";
  StartSettings();
  EXPECT_EQ(candidates(), core::ClusterConfig().candidate_parent_limit);
}

TEST_F(ManagerSettingsTest, GoesOnWhereNothingCanBeKept) {
  std::ofstream(folder_ / "file") << "no folder";
  saved_path_ = folder_ / "file/cluster.saved";
  SetCandidates(5);
  manager_.Start();
  StartSettings();
  EXPECT_TRUE(WaitForCandidates(5));
}

TEST_F(ManagerSettingsTest, AsksAgainAsSoonAsTheManagerKnowsUs) {
  watch_options_.refresh_interval = absl::Hours(1);
  watch_options_.first_retry = absl::Hours(1);
  SetCandidates(5);
  manager_.Edit([](Answers& answers) { answers.get = absl::InternalError("who?"); });
  manager_.Start();
  StartSettings();
  ASSERT_TRUE(manager_.WaitFor("get"));
  manager_.Edit([](Answers& answers) { answers.get = absl::OkStatus(); });
  StartPresence();
  EXPECT_TRUE(WaitForCandidates(5));
}

}  // namespace
}  // namespace dragonfly::scheduler::link
