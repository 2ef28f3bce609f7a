#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/rpc/server.h"
#include "proto/dfdaemon_v2.grpc.pb.h"
#include "tests/integration/scheduler/scheduler_process.h"
#include "tests/integration/scheduler/swarm_client.h"

namespace dragonfly::tests {
namespace {

using ::grpc::StatusCode;

class SchedulerTest : public ::testing::Test {
 protected:
  std::shared_ptr<::grpc::Channel> Connect(const SchedulerProcess& scheduler) {
    return ::grpc::CreateChannel(scheduler.address(), ::grpc::InsecureChannelCredentials());
  }
};

TEST_F(SchedulerTest, SendsTheFirstPeerToTheOriginAndTheSecondToTheFirst) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  AnnounceHost(channel, "h2");
  PeerStream first(channel, "h1", "task", "p1");
  first.Register();
  auto answer = first.Next();
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(answer->has_need_back_to_source_response());
  first.SourceStarted();
  first.SourcePiece(0);

  PeerStream second(channel, "h2", "task", "p2");
  second.Register();
  answer = second.Next();
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->normal_task_response().candidate_parents_size(), 1);
  const pbc::Peer& parent = answer->normal_task_response().candidate_parents(0);
  EXPECT_EQ(parent.id(), "p1");
  EXPECT_EQ(parent.state(), "BackToSource");
  EXPECT_EQ(parent.host().id(), "h1");
  EXPECT_EQ(parent.host().ip(), "127.0.0.1");
  EXPECT_EQ(parent.host().port(), 4000);
  EXPECT_EQ(parent.host().network().max_tx_bandwidth(), 10'000'000'000U);
  EXPECT_EQ(parent.host().name(), "");
  EXPECT_EQ(parent.task().id(), "task");
  EXPECT_EQ(parent.task().content_length(), 10 * kPiece);
  EXPECT_EQ(parent.task().piece_count(), 10U);
  EXPECT_TRUE(parent.has_created_at());
  EXPECT_TRUE(parent.has_cost());

  second.Started();
  second.Finished();
  auto ended = second.Ended();
  ASSERT_TRUE(ended.has_value()) << "a terminal message ends the call though nobody half-closed";
  EXPECT_TRUE(ended->ok());
  first.SourceFinished();
  ended = first.Ended();
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(ended->ok());
}

TEST_F(SchedulerTest, SendsHeadersAtOnceAndTheAnswerWhenThereIsOne) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  AnnounceHost(channel, "h2");
  PeerStream first(channel, "h1", "task", "p1");
  first.Register();
  ASSERT_TRUE(first.Next().has_value());
  PeerStream second(channel, "h2", "task", "p2", "lazy-stat/1,unknown/7");
  second.Register();
  EXPECT_EQ(second.Extensions(), "lazy-stat/1");
  EXPECT_FALSE(second.Next(0.2).has_value()) << "parked: the reader has not begun";
  first.SourceStarted();
  auto answer = second.Next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_normal_task_response());
}

TEST_F(SchedulerTest, TellsDaemonsWhatItSpeaksWhenTheyAnnounceThemselves) {
  SchedulerProcess scheduler;
  EXPECT_EQ(AnnounceHost(Connect(scheduler), "h1"), "lazy-stat/1,slice/1");
}

TEST_F(SchedulerTest, AnswersAnUnknownHostWithNotFoundAndTheReason) {
  SchedulerProcess scheduler;
  PeerStream stream(Connect(scheduler), "nobody", "task", "p");
  stream.Register();
  auto ended = stream.Ended();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ended->error_message(), "host nobody not found");
}

TEST_F(SchedulerTest, Sec_B14_RefusesInvalidMessagesByField) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  PeerStream no_url(channel, "h1", "task", "p");
  no_url.download()->set_url("no url");
  no_url.Register();
  auto ended = no_url.Ended();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(ended->error_message().find("url"), std::string::npos) << ended->error_message();

  PeerStream no_request(channel, "h1", "task", "p");
  no_request.Send(pb::AnnouncePeerRequest());
  ended = no_request.Ended();
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(SchedulerTest, ServesUnaryCalls) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  PeerStream first(channel, "h1", "task", "p1");
  (*first.download()->mutable_request_header())["Authorization"] = "Bearer secret";
  (*first.download()->mutable_request_header())["X-Kind"] = "a";
  first.Register();
  ASSERT_TRUE(first.Next().has_value());
  first.SourceStarted();
  first.SourcePiece(3);
  auto stub = pb::Scheduler::NewStub(channel);

  pbc::Task task;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (task.pieces_size() == 0 && std::chrono::steady_clock::now() < deadline) {
    pb::StatTaskRequest request;
    request.set_host_id("h1");
    request.set_task_id("task");
    ::grpc::ClientContext context;
    ASSERT_TRUE(stub->StatTask(&context, request, &task).ok());
  }
  ASSERT_EQ(task.pieces_size(), 1);
  EXPECT_EQ(task.pieces(0).number(), 3U);
  EXPECT_EQ(task.state(), "Running");
  EXPECT_EQ(task.peer_count(), 1U);
  EXPECT_EQ(task.request_header().count("X-Kind"), 1U);
  EXPECT_EQ(task.request_header().count("Authorization"), 0U);

  pb::StatPeerRequest stat_peer;
  stat_peer.set_host_id("h1");
  stat_peer.set_task_id("task");
  stat_peer.set_peer_id("p1");
  pbc::Peer peer;
  {
    ::grpc::ClientContext context;
    ASSERT_TRUE(stub->StatPeer(&context, stat_peer, &peer).ok());
  }
  EXPECT_EQ(peer.host().id(), "h1");
  EXPECT_EQ(peer.state(), "BackToSource");
  stat_peer.set_peer_id("p9");
  {
    ::grpc::ClientContext context;
    EXPECT_EQ(stub->StatPeer(&context, stat_peer, &peer).error_code(), StatusCode::NOT_FOUND);
  }
  pb::ListHostsResponse hosts;
  {
    ::grpc::ClientContext context;
    ASSERT_TRUE(stub->ListHosts(&context, pb::ListHostsRequest(), &hosts).ok());
  }
  ASSERT_EQ(hosts.hosts_size(), 1);
  EXPECT_EQ(hosts.hosts(0).name(), "pod-h1");

  pb::DeleteHostRequest delete_host;
  delete_host.set_host_id("h1");
  google::protobuf::Empty empty;
  {
    ::grpc::ClientContext context;
    EXPECT_TRUE(stub->DeleteHost(&context, delete_host, &empty).ok());
  }
  {
    ::grpc::ClientContext context;
    EXPECT_EQ(stub->DeleteHost(&context, delete_host, &empty).error_code(), StatusCode::NOT_FOUND);
  }
}

TEST_F(SchedulerTest, SaysClearlyWhatItDoesNotServe) {
  SchedulerProcess scheduler;
  auto stub = pb::Scheduler::NewStub(Connect(scheduler));
  pb::StatPersistentTaskRequest request;
  request.set_host_id("h");
  request.set_task_id("t");
  pbc::PersistentTask task;
  ::grpc::ClientContext context;
  const ::grpc::Status status = stub->StatPersistentTask(&context, request, &task);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "/scheduler.v2.Scheduler/StatPersistentTask is not served by this version");
  ::grpc::ClientContext stream_context;
  auto stream = stub->AnnounceCachePeer(&stream_context);
  const ::grpc::Status ended = stream->Finish();
  EXPECT_EQ(ended.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ended.error_message(),
            "/scheduler.v2.Scheduler/AnnounceCachePeer is not served by this version");
}

// A seed peer's upload service: counts and remembers triggers, and holds them until told.
class FakeSeed final : public ::dfdaemon::v2::DfdaemonUpload::Service {
 public:
  FakeSeed() {
    ::grpc::EnableDefaultHealthCheckService(true);
    ::grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", ::grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeSeed() override { Stop(); }
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
  int port() const { return port_; }
  bool WaitTrigger(::common::v2::Download* download) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [this] { return triggers_ > 0; });
    *download = download_;
    return came;
  }

 private:
  ::grpc::Status DownloadTask(
      ::grpc::ServerContext*, const ::dfdaemon::v2::DownloadTaskRequest* request,
      ::grpc::ServerWriter<::dfdaemon::v2::DownloadTaskResponse>*) override {
    std::unique_lock lock(mutex_);
    ++triggers_;
    download_ = request->download();
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(30), [this] { return released_; });
    return ::grpc::Status(StatusCode::INTERNAL, "the origin answered 500");
  }

  int port_ = 0;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int triggers_ = 0;
  bool released_ = false;
  ::common::v2::Download download_;
  std::unique_ptr<::grpc::Server> server_;
};

TEST_F(SchedulerTest, HasASeedFetchTheTaskAndGoesToTheOriginWhenItFails) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  FakeSeed fake;
  AnnounceHost(channel, "seed", fake.port(), true);
  AnnounceHost(channel, "h1");
  PeerStream child(channel, "h1", "task", "p1");
  child.download()->set_output_path("/tmp/out");
  child.Register();
  ::common::v2::Download download;
  ASSERT_TRUE(fake.WaitTrigger(&download));
  EXPECT_TRUE(download.need_back_to_source());
  EXPECT_FALSE(download.has_output_path());
  EXPECT_EQ(download.url(), "http://origin.example/file");
  EXPECT_EQ(download.remote_ip(), "127.0.0.1");
  EXPECT_FALSE(child.Next(0.1).has_value());

  PeerStream seed(channel, "seed", "task", "s1");
  seed.download()->set_need_back_to_source(true);
  seed.Register();
  auto answer = seed.Next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_need_back_to_source_response());
  seed.SourceStarted();
  answer = child.Next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->normal_task_response().candidate_parents(0).id(), "s1");

  AnnounceHost(channel, "h2");
  PeerStream other(channel, "h2", "other-task", "p2");
  other.Register();
  EXPECT_FALSE(other.Next(0.2).has_value());
  fake.Stop();
  answer = other.Next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_need_back_to_source_response());
}

TEST_F(SchedulerTest, Sec_D3_NeverDialsItselfOrForbiddenAddressesAsASeed) {
  SchedulerProcess scheduler("", "");
  auto channel = Connect(scheduler);
  auto stub = pb::Scheduler::NewStub(channel);
  pb::AnnounceHostRequest request;
  request.mutable_host()->set_id("evil");
  request.mutable_host()->set_type(1);
  request.mutable_host()->set_hostname("evil");
  request.mutable_host()->set_ip("169.254.169.254");
  request.mutable_host()->set_port(8080);
  request.mutable_host()->set_download_port(8080);
  google::protobuf::Empty empty;
  ::grpc::ClientContext context;
  const ::grpc::Status status = stub->AnnounceHost(&context, request, &empty);
  ASSERT_TRUE(status.ok()) << status.error_message();
  AnnounceHost(channel, "h1");
  PeerStream child(channel, "h1", "task", "p1");
  child.Register();
  auto answer = child.Next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_need_back_to_source_response()) << "there is no seed to wait for";
}

TEST_F(SchedulerTest, ManyStreamsFinishAndLeaveNothingOpen) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h0");
  PeerStream reader(channel, "h0", "task", "p0");
  reader.Register();
  ASSERT_TRUE(reader.Next().has_value());
  reader.SourceStarted();
  std::vector<std::unique_ptr<PeerStream>> children;
  for (int i = 1; i <= 60; ++i) {
    const std::string id = std::to_string(i);
    AnnounceHost(channel, "h" + id);
    children.push_back(std::make_unique<PeerStream>(channel, "h" + id, "task", "p" + id));
    children.back()->Register();
  }
  for (auto& child : children) {
    auto answer = child->Next();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->has_normal_task_response());
    child->Started();
    child->Finished();
  }
  for (auto& child : children) {
    auto ended = child->Ended();
    ASSERT_TRUE(ended.has_value());
    EXPECT_TRUE(ended->ok()) << ended->error_message();
  }
}

TEST_F(SchedulerTest, EndsStreamsAndItselfOnSigterm) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  PeerStream stream(channel, "h1", "task", "p1");
  stream.Register();
  ASSERT_TRUE(stream.Next().has_value());
  kill(scheduler.pid(), SIGTERM);
  auto ended = stream.Ended(5);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->error_code(), StatusCode::UNAVAILABLE);
  const int status = scheduler.WaitEnd(9);
  ASSERT_NE(status, -1) << "it does not wait for peers to go";
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SchedulerTest, NamesTakenPortsAndWrongKeys) {
  SchedulerProcess scheduler;
  const std::string port = scheduler.address().substr(scheduler.address().find(':') + 1);
  const std::string config = scheduler.folder() + "/second.yaml";
  const std::string flags =
      "--console --dynconfig " + scheduler.folder() + "/d.yaml --config " + config;
  std::ofstream(config) << "server:\n  listenIP: 127.0.0.1\n  port: " << port << "\n";
  Finished taken = RunScheduler(flags);
  EXPECT_EQ(taken.code, 1);
  EXPECT_NE(taken.output.find(port), std::string::npos) << taken.output;
  EXPECT_NE(taken.output.find("server.port"), std::string::npos) << taken.output;
  std::ofstream(config) << "scheduler:\n  retryLimit: many\n";
  Finished wrong = RunScheduler(flags);
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.output.find("second.yaml:2: scheduler.retryLimit"), std::string::npos)
      << wrong.output;
  std::ofstream(config) << "scheduler:\n  retryLimits: 3\n";
  Finished strict = RunScheduler("--strict " + flags);
  EXPECT_EQ(strict.code, 1);
  EXPECT_NE(strict.output.find("did you mean scheduler.retryLimit?"), std::string::npos)
      << strict.output;
  EXPECT_EQ(RunScheduler("--no-such-flag").code, 2);
  Finished version = RunScheduler("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_NE(version.output.find("scheduler 0."), std::string::npos);
}

TEST_F(SchedulerTest, RefusesToStartWithAWrongDynconfig) {
  SchedulerProcess scheduler;
  const std::string config = scheduler.folder() + "/second.yaml";
  const std::string dynconfig = scheduler.folder() + "/bad.yaml";
  std::ofstream(config) << "server:\n  listenIP: 127.0.0.1\n  port: 0\n";
  std::ofstream(dynconfig) << "applications:\n  - name: a\n    priority:\n      value: 9\n";
  Finished wrong = RunScheduler("--console --config " + config + " --dynconfig " + dynconfig);
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.output.find("'9' is no priority"), std::string::npos) << wrong.output;
}

TEST_F(SchedulerTest, TakesOverAChangedDynconfig) {
  SchedulerProcess scheduler("dynConfig:\n  refreshInterval: 20ms\n");
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  std::ofstream(scheduler.folder() + "/dynconfig.yaml")
      << "applications:\n  - name: app\n    priority: {value: 1}\n";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool forbidden = false;
  for (int i = 0; !forbidden && std::chrono::steady_clock::now() < deadline; ++i) {
    const std::string id = std::to_string(i);
    PeerStream stream(channel, "h1", "task" + id, "p" + id);
    stream.download()->set_application("app");
    stream.Register();
    forbidden = !stream.Next().has_value();
    if (forbidden) {
      EXPECT_EQ(stream.Ended()->error_code(), StatusCode::FAILED_PRECONDITION);
    }
  }
  EXPECT_TRUE(forbidden);
}

}  // namespace
}  // namespace dragonfly::tests
