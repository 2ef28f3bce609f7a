// Preheats and their kin through the gRPC door of the scheduler program, with daemons and a
// registry of the test's.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "common/async/runtime.h"
#include "common/async/testing/talk.h"
#include "common/id/task_id.h"
#include "tests/integration/scheduler/fake_dfdaemon.h"
#include "tests/integration/scheduler/scheduler_process.h"
#include "tests/integration/scheduler/swarm_client.h"
#include "tests/testing/process.h"
#include "tests/testing/registry/fake_registry.h"

namespace dragonfly::tests {
namespace {

using google::protobuf::Empty;
using ::grpc::StatusCode;
using testing::FakeRegistry;
using testing::LetterDigest;

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string TaskIdOf(const std::string& url, const std::string& tag = "") {
  common::id::StandardTask task;
  task.url = url;
  task.filtered_query_params = common::id::DefaultFilteredQueryParams();
  if (!tag.empty()) task.tag = tag;
  return common::id::StandardTaskKey(task)->id;
}

class SchedulerJobsTest : public ::testing::Test {
 protected:
  void Start(const std::string& yaml = "") {
    scheduler_ = std::make_unique<SchedulerProcess>(yaml);
    channel_ = ::grpc::CreateChannel(scheduler_->address(), ::grpc::InsecureChannelCredentials());
    stub_ = pb::Scheduler::NewStub(channel_);
  }
  void Announce(const FakeDfdaemon& daemon, const std::string& id, bool seed = false) {
    AnnounceHost(channel_, id, daemon.port(), seed);
  }
  static void Limit(::grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  }
  ::grpc::Status Preheat(const pb::PreheatFileRequest& request) {
    ::grpc::ClientContext context;
    Limit(context);
    Empty answer;
    return stub_->PreheatFile(&context, request, &answer);
  }
  ::grpc::Status Preheat(const pb::PreheatImageRequest& request) {
    ::grpc::ClientContext context;
    Limit(context);
    Empty answer;
    return stub_->PreheatImage(&context, request, &answer);
  }
  pb::StatImageResponse Stat(const pb::StatImageRequest& request) {
    ::grpc::ClientContext context;
    Limit(context);
    pb::StatImageResponse answer;
    const ::grpc::Status status = stub_->StatImage(&context, request, &answer);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return answer;
  }
  pb::StatFileResponse Stat(const pb::StatFileRequest& request) {
    ::grpc::ClientContext context;
    Limit(context);
    pb::StatFileResponse answer;
    const ::grpc::Status status = stub_->StatFile(&context, request, &answer);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return answer;
  }
  bool LogSays(const std::string& text) {
    return Eventually([&] { return scheduler_->Log().find(text) != std::string::npos; });
  }
  std::string Metrics() {
    return common::async::testing::Talk(
        runtime_.executor(0), *common::net::Endpoint::Parse(scheduler_->metrics_address()),
        "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
  }
  static pb::PreheatFileRequest File(const std::string& url, const std::string& scope) {
    pb::PreheatFileRequest request;
    request.set_url(url);
    request.set_scope(scope);
    return request;
  }
  pb::PreheatImageRequest Image(const FakeRegistry& registry, const std::string& tag,
                                const std::string& scope) {
    pb::PreheatImageRequest request;
    request.set_url(registry.ManifestUrl("a/b", tag));
    request.set_platform("linux/amd64");
    request.set_scope(scope);
    return request;
  }

  common::async::Runtime runtime_{1, "test"};
  std::unique_ptr<SchedulerProcess> scheduler_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<pb::Scheduler::Stub> stub_;
};

TEST_F(SchedulerJobsTest, AFileIsPreheatedOnASeedPeerAsTheRequestSays) {
  Start();
  FakeDfdaemon seed;
  FakeDfdaemon peer;
  Announce(seed, "seed", true);
  Announce(peer, "peer");
  pb::PreheatFileRequest request = File("http://origin/file?X-Amz-Date=1&a=b", "single_seed_peer");
  request.set_tag("tag");
  request.set_application("app");
  request.set_piece_length(8 << 20);
  request.set_priority(pbc::LEVEL5);
  request.mutable_timeout()->set_seconds(600);
  (*request.mutable_header())["X-Kind"] = "a";
  request.mutable_object_storage()->set_region("here");
  request.set_output_path("/tmp/out");
  const ::grpc::Status status = Preheat(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(seed.WaitForDownloads(1));
  const pbc::Download download = seed.downloads()[0];
  EXPECT_EQ(download.url(), request.url());
  EXPECT_EQ(download.type(), pbc::STANDARD);
  EXPECT_EQ(download.tag(), "tag");
  EXPECT_EQ(download.application(), "app");
  EXPECT_EQ(download.piece_length(), 8U << 20U);
  EXPECT_EQ(download.priority(), pbc::LEVEL5);
  EXPECT_EQ(download.remote_ip(), "127.0.0.1");
  EXPECT_EQ(download.request_header().at("X-Kind"), "a");
  EXPECT_EQ(download.object_storage().region(), "here");
  EXPECT_EQ(download.output_path(), "/tmp/out");
  EXPECT_GT(download.timeout().seconds(), 500);
  EXPECT_LE(download.timeout().seconds(), 600);
  EXPECT_EQ(static_cast<size_t>(download.filtered_query_params_size()),
            common::id::DefaultFilteredQueryParams().size());
  EXPECT_TRUE(LogSays("preheat ended"));
  EXPECT_TRUE(peer.downloads().empty());
}

TEST_F(SchedulerJobsTest, AnUnreachableHostAmongAllPeersCostsItsOwnResult) {
  Start();
  FakeDfdaemon one;
  FakeDfdaemon two;
  Announce(one, "one");
  AnnounceHost(channel_, "gone", testing::FreePort());
  Announce(two, "two");
  ASSERT_TRUE(Preheat(File("http://origin/file", "all_peers")).ok());
  EXPECT_TRUE(one.WaitForDownloads(1));
  EXPECT_TRUE(two.WaitForDownloads(1));
  EXPECT_TRUE(LogSays("targets=3 succeeded=2 failed=1")) << scheduler_->Log();
  EXPECT_TRUE(LogSays("host=gone"));
}

TEST_F(SchedulerJobsTest, APreheatThatFailsEverywhereIsToldAsFailed) {
  Start();
  FakeDfdaemon seed;
  Announce(seed, "seed", true);
  seed.AnswerDownloads(::grpc::Status(StatusCode::INTERNAL, "origin says 404"));
  ASSERT_TRUE(Preheat(File("http://origin/file", "single_seed_peer")).ok());
  EXPECT_TRUE(LogSays("preheat failed preheat=")) << scheduler_->Log();
  EXPECT_TRUE(LogSays("origin says 404"));
}

TEST_F(SchedulerJobsTest, PeersAreChosenByCount) {
  Start();
  std::vector<std::unique_ptr<FakeDfdaemon>> daemons;
  for (const char* id : {"a", "b", "c"}) {
    daemons.push_back(std::make_unique<FakeDfdaemon>());
    Announce(*daemons.back(), id);
  }
  pb::PreheatFileRequest request = File("http://origin/file", "all_peers");
  request.set_percentage(100);
  request.set_count(2);
  ASSERT_TRUE(Preheat(request).ok());
  EXPECT_TRUE(LogSays("targets=2 succeeded=2 failed=0")) << scheduler_->Log();
  EXPECT_EQ(daemons[0]->downloads().size() + daemons[1]->downloads().size(), 2U);
  EXPECT_TRUE(daemons[2]->downloads().empty());
  request.add_ips("10.9.9.9");
  ASSERT_TRUE(Preheat(request).ok());
  EXPECT_TRUE(LogSays("has one of the addresses in ips")) << scheduler_->Log();
}

TEST_F(SchedulerJobsTest, ADirectoryIsPreheatedFileByFile) {
  Start();
  FakeDfdaemon peer;
  Announce(peer, "peer");
  peer.List("http://origin/d/", {"http://origin/d/a", "http://origin/d/b"}, "http://origin/d/e/");
  pb::PreheatFileRequest request = File("http://origin/d/", "all_peers");
  request.set_tag("tag");
  ASSERT_TRUE(Preheat(request).ok());
  ASSERT_TRUE(peer.WaitForDownloads(2));
  std::vector<std::string> urls;
  for (const pbc::Download& download : peer.downloads()) {
    urls.push_back(download.url());
    EXPECT_EQ(download.tag(), "tag");
  }
  std::sort(urls.begin(), urls.end());
  EXPECT_EQ(urls, (std::vector<std::string>{"http://origin/d/a", "http://origin/d/b"}));
  peer.List("http://origin/empty/", {});
  EXPECT_EQ(Preheat(File("http://origin/empty/", "all_peers")).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(SchedulerJobsTest, AnImageIsPreheatedLayerByLayerWithItsToken) {
  Start();
  FakeRegistry::Options options;
  options.auth = FakeRegistry::Auth::kBearer;
  options.username = "me";
  options.password = "canary";
  FakeRegistry registry(runtime_.executor(0), options);
  registry.PutImage("a/b", "tag", "12");
  FakeDfdaemon peer;
  Announce(peer, "peer");
  pb::PreheatImageRequest request = Image(registry, "tag", "all_peers");
  request.set_username("me");
  request.set_password("canary");
  const ::grpc::Status status = Preheat(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(peer.WaitForDownloads(3));
  std::vector<std::string> urls;
  for (const pbc::Download& download : peer.downloads()) {
    urls.push_back(download.url());
    EXPECT_EQ(download.request_header().at("Authorization"), "Bearer t0ken");
    EXPECT_FALSE(download.enable_task_id_based_blob_digest());
  }
  std::sort(urls.begin(), urls.end());
  EXPECT_EQ(urls, (std::vector<std::string>{registry.BlobUrl("a/b", LetterDigest('1')),
                                            registry.BlobUrl("a/b", LetterDigest('2')),
                                            registry.BlobUrl("a/b", LetterDigest('c'))}));
  EXPECT_TRUE(LogSays("preheat ended"));
  EXPECT_EQ(scheduler_->Log().find("canary"), std::string::npos);
  EXPECT_EQ(scheduler_->Log().find("t0ken"), std::string::npos);
}

TEST_F(SchedulerJobsTest, LayersMayBeNamedByTheirDigest) {
  Start("job:\n  enableTaskIDBasedBlobDigest: true\n");
  FakeRegistry registry(runtime_.executor(0), {});
  registry.PutImage("a/b", "tag", "1");
  FakeDfdaemon peer;
  Announce(peer, "peer");
  ASSERT_TRUE(Preheat(Image(registry, "tag", "all_peers")).ok());
  ASSERT_TRUE(peer.WaitForDownloads(2));
  EXPECT_TRUE(peer.downloads()[0].enable_task_id_based_blob_digest());
}

TEST_F(SchedulerJobsTest, BadPreheatsAreRefused) {
  Start();
  FakeRegistry registry(runtime_.executor(0), {});
  const auto expect_invalid = [](const ::grpc::Status& status, const std::string& what) {
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_NE(status.error_message().find(what), std::string::npos) << status.error_message();
  };
  expect_invalid(Preheat(Image(registry, "missing", "all_peers")), "a/b:missing");
  pb::PreheatImageRequest image = Image(registry, "tag", "all_peers");
  image.set_url("http://origin/file");
  expect_invalid(Preheat(image), "manifest");
  image = Image(registry, "tag", "all_peers");
  image.set_platform("nonsense");
  expect_invalid(Preheat(image), "platform");
  image = Image(registry, "tag", "");
  expect_invalid(Preheat(image), "scope");
  pb::PreheatFileRequest file = File("http://origin/file", "all_peers");
  file.add_certificate_chain("no certificate");
  expect_invalid(Preheat(file), "certificate_chain[0]");
  expect_invalid(Preheat(File("no url", "all_peers")), "url");
  const std::string page = Metrics();
  EXPECT_NE(page.find("dragonfly_scheduler_preheat_image_total 4"), std::string::npos) << page;
  EXPECT_NE(page.find("dragonfly_scheduler_preheat_image_failure_total 3"), std::string::npos)
      << "as with every call, one that breaks a rule is not counted twice: " << page;
}

TEST_F(SchedulerJobsTest, TellsWhichHostsHaveWhichLayers) {
  Start();
  FakeRegistry registry(runtime_.executor(0), {});
  registry.PutImage("a/b", "tag", "12");
  FakeDfdaemon one;
  FakeDfdaemon two;
  FakeDfdaemon none;
  const std::string first = registry.BlobUrl("a/b", LetterDigest('1'));
  const std::string second = registry.BlobUrl("a/b", LetterDigest('2'));
  one.Hold(TaskIdOf(first), true);
  one.Hold(TaskIdOf(second), false);
  two.Hold(TaskIdOf(second), true);
  Announce(one, "one");
  Announce(two, "two", true);
  Announce(none, "none");
  AnnounceHost(channel_, "gone", testing::FreePort());
  pb::StatImageRequest request;
  request.set_url(registry.ManifestUrl("a/b", "tag"));
  request.set_platform("linux/amd64");
  request.set_concurrent_layer_count(2);
  const pb::StatImageResponse answer = Stat(request);
  ASSERT_EQ(answer.image().layers_size(), 3);
  EXPECT_EQ(answer.image().layers(1).url(), first);
  ASSERT_EQ(answer.peers_size(), 2);
  const pb::PeerImage& has_both = answer.peers(0);
  EXPECT_EQ(has_both.hostname(), "one");
  EXPECT_EQ(has_both.ip(), "127.0.0.1");
  ASSERT_EQ(has_both.cached_layers_size(), 2);
  EXPECT_EQ(has_both.cached_layers(0).url(), first);
  EXPECT_TRUE(has_both.cached_layers(0).is_finished());
  EXPECT_EQ(has_both.cached_layers(1).url(), second);
  EXPECT_FALSE(has_both.cached_layers(1).is_finished());
  EXPECT_EQ(answer.peers(1).hostname(), "two");
  ASSERT_EQ(answer.peers(1).cached_layers_size(), 1);
  EXPECT_TRUE(answer.peers(1).cached_layers(0).is_finished());
}

TEST_F(SchedulerJobsTest, TellsWhichHostsHaveAFile) {
  Start();
  FakeDfdaemon peer;
  peer.Hold(TaskIdOf("http://origin/file", "tag"), true);
  Announce(peer, "peer");
  pb::StatFileRequest request;
  request.set_url("http://origin/file");
  EXPECT_EQ(Stat(request).peers_size(), 0) << "another tag, another task";
  request.set_tag("tag");
  const pb::StatFileResponse answer = Stat(request);
  ASSERT_EQ(answer.peers_size(), 1);
  EXPECT_EQ(answer.peers(0).hostname(), "peer");
  ASSERT_EQ(answer.peers(0).cached_files_size(), 1);
  EXPECT_EQ(answer.peers(0).cached_files(0).url(), "http://origin/file");
  EXPECT_TRUE(answer.peers(0).cached_files(0).is_finished());
}

TEST_F(SchedulerJobsTest, SwitchedOffJobsAreAFailedPreconditionAndHarmNobody) {
  Start("job:\n  enable: false\n");
  EXPECT_EQ(Preheat(File("http://origin/file", "all_peers")).error_code(),
            StatusCode::FAILED_PRECONDITION);
  pb::StatFileRequest stat;
  stat.set_url("http://origin/file");
  ::grpc::ClientContext context;
  pb::StatFileResponse answer;
  EXPECT_EQ(stub_->StatFile(&context, stat, &answer).error_code(), StatusCode::FAILED_PRECONDITION);
  AnnounceHost(channel_, "still-there");
}

TEST_F(SchedulerJobsTest, Sec_D4_ACallerHasAQuotaOfPreheats) {
  Start("job:\n  preheatsPerCaller: 1\n");
  FakeDfdaemon peer;
  peer.Hang();
  Announce(peer, "peer");
  ASSERT_TRUE(Preheat(File("http://origin/one", "all_peers")).ok());
  ASSERT_TRUE(peer.WaitForDownloads(1));
  EXPECT_EQ(Preheat(File("http://origin/two", "all_peers")).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(peer.downloads().size(), 1U);
}

TEST_F(SchedulerJobsTest, AStopEndsPreheatsThatHang) {
  Start();
  FakeDfdaemon peer;
  peer.Hang();
  Announce(peer, "peer");
  ASSERT_TRUE(Preheat(File("http://origin/one", "all_peers")).ok());
  ASSERT_TRUE(peer.WaitForDownloads(1));
  kill(scheduler_->pid(), SIGTERM);
  EXPECT_EQ(scheduler_->WaitEnd(20), 0);
}

}  // namespace
}  // namespace dragonfly::tests
