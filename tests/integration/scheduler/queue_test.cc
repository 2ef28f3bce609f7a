// The Redis door of the scheduler program: a manager of the test's puts jobs into a real Redis and
// reads what became of them.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "common/async/runtime.h"
#include "common/crypto/testing/test_authority.h"
#include "common/job/messages.h"
#include "common/job/signature.h"
#include "common/os/env.h"
#include "common/redis/client.h"
#include "tests/integration/scheduler/fake_dfdaemon.h"
#include "tests/integration/scheduler/scheduler_process.h"
#include "tests/integration/scheduler/swarm_client.h"
#include "tests/testing/redis.h"

namespace dragonfly::tests {
namespace {

namespace redis = common::redis;
namespace wire = common::job;
using common::async::CancelScope;
using common::async::Co;
using testing::Redis;

constexpr const char* kQueue = "scheduler_1_queue-test_127.0.0.1";

class SchedulerQueueTest : public ::testing::Test {
 protected:
  void Start(Redis::Options options = {}, const std::string& more = "") {
    server_ = std::make_unique<Redis>(options);
    ASSERT_EQ(server_->error(), "");
    std::string yaml = "database:\n  redis:\n    addrs: [\"" + server_->address() + "\"]\n" + more;
    if (!options.username.empty()) yaml += "    username: " + options.username + "\n";
    if (!options.password.empty()) yaml += "    password: " + options.password + "\n";
    scheduler_ = std::make_unique<SchedulerProcess>(yaml, "", "  host: queue-test\n");
    channel_ = ::grpc::CreateChannel(scheduler_->address(), ::grpc::InsecureChannelCredentials());
    options_.addresses = {*redis::ParseHostPort(server_->address())};
    options_.login.username = options.username;
    options_.login.password = options.password;
    options_.first_pause = options_.longest_pause = absl::Milliseconds(5);
    Connect();
  }
  void Connect() {
    options_.login.database = 1;
    broker_ = std::make_unique<redis::Client>(executor(), common::os::PosixEnv(), options_);
    options_.login.database = 2;
    results_ = std::make_unique<redis::Client>(executor(), common::os::PosixEnv(), options_);
  }
  void TearDown() override {
    for (const auto* client : {&broker_, &results_}) {
      if (*client == nullptr) continue;
      common::async::RunToEnd(executor(), [client] { return (*client)->Close(); });
    }
  }
  common::async::Executor executor() { return runtime_.executor(0); }

  static Co<void> CallBody(common::async::Executor executor, redis::Client& client,
                           std::vector<std::string> command, absl::StatusOr<redis::Reply>& out) {
    CancelScope scope(executor, absl::Seconds(30));
    absl::StatusOr<redis::Reply> reply = co_await client.Call(scope, std::move(command));
    out = std::move(reply);
  }
  absl::StatusOr<redis::Reply> Call(redis::Client& client,
                                    const std::vector<std::string>& command) {
    absl::StatusOr<redis::Reply> reply = absl::UnknownError("not run");
    common::async::RunToEnd(
        executor(), [&]() -> Co<void> { return CallBody(executor(), client, command, reply); });
    return reply;
  }
  void Push(const std::string& message) {
    const absl::StatusOr<redis::Reply> pushed = Call(*broker_, {"RPUSH", kQueue, message});
    EXPECT_TRUE(pushed.ok()) << pushed.status();
  }
  void Send(const std::string& uuid, const std::string& name, std::optional<std::string> argument) {
    wire::Signature signature;
    signature.uuid = uuid;
    signature.name = name;
    signature.routing_key = kQueue;
    signature.argument = std::move(argument);
    Push(wire::SignatureJson(signature));
  }
  static std::string PreheatArgument(const std::string& url, const std::string& scope) {
    wire::PreheatRequest request;
    request.urls = {url};
    request.scope = scope;
    return wire::PreheatRequestJson(request);
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  wire::TaskState EndOf(const std::string& uuid) {
    wire::TaskState state;
    EXPECT_TRUE(Eventually([&] {
      const absl::StatusOr<redis::Reply> reply = Call(*results_, {"GET", uuid});
      const auto text = reply.ok() ? reply->AsText() : std::nullopt;
      if (!text.has_value()) return false;
      const auto parsed = wire::ParseTaskState(*text);
      if (parsed.ok()) state = *parsed;
      return state.state == wire::State::kSuccess || state.state == wire::State::kFailure;
    })) << uuid
        << "\n"
        << scheduler_->Log();
    return state;
  }

  common::async::Runtime runtime_{1, "test"};
  std::unique_ptr<Redis> server_;
  std::unique_ptr<SchedulerProcess> scheduler_;
  std::shared_ptr<::grpc::Channel> channel_;
  redis::Client::Options options_;
  std::unique_ptr<redis::Client> broker_;
  std::unique_ptr<redis::Client> results_;
};

TEST_F(SchedulerQueueTest, JobsOfAManagerAreCarriedOut) {
  Start();
  FakeDfdaemon seed;
  FakeDfdaemon peer;
  AnnounceHost(channel_, "seed", seed.port(), true);
  AnnounceHost(channel_, "peer", peer.port());
  Send("task_preheat", "preheat", PreheatArgument("http://origin/a", "single_seed_peer"));
  const wire::TaskState preheated = EndOf("task_preheat");
  EXPECT_EQ(preheated.state, wire::State::kSuccess) << preheated.error;
  EXPECT_EQ(preheated.result.value_or(""),
            R"({"success_tasks":[{"url":"http://origin/a","hostname":"seed","ip":"127.0.0.1"}],)"
            R"("failure_tasks":[],"scheduler_cluster_id":1})");
  EXPECT_EQ(seed.downloads().size(), 1U);
  const int64_t life_seconds = Call(*results_, {"TTL", "task_preheat"})->integer;
  EXPECT_GT(life_seconds, 86'000);
  EXPECT_LE(life_seconds, 86'400);

  peer.Hold("the-task", true);
  wire::TaskRequest request;
  request.task_id = "the-task";
  Send("task_get", "get_task", wire::TaskRequestJson(request));
  EXPECT_NE(EndOf("task_get").result.value_or("").find(R"("hostname":"peer")"), std::string::npos);
  Send("task_delete", "delete_task", wire::TaskRequestJson(request));
  EXPECT_NE(EndOf("task_delete").result.value_or("").find(R"("hostname":"peer")"),
            std::string::npos);
  EXPECT_FALSE(peer.Holds("the-task"));
  Send("task_sync", "sync_peers", std::nullopt);
  const std::string hosts = EndOf("task_sync").result.value_or("");
  EXPECT_NE(hosts.find(R"({"ID":"peer","Type":0,"Hostname":"peer","IP":"127.0.0.1")"),
            std::string::npos)
      << hosts;
  EXPECT_NE(hosts.find(R"({"ID":"seed","Type":1,)"), std::string::npos);
  EXPECT_NE(hosts.find(R"("Network":{"IDC":"here")"), std::string::npos);
}

TEST_F(SchedulerQueueTest, Sec_GarbageHarmsNobody) {
  Start();
  FakeDfdaemon peer;
  AnnounceHost(channel_, "peer", peer.port());
  for (const std::string& garbage : {std::string("\xff\x00\r\n", 4), std::string("{}"),
                                     std::string(1'000'000, '['), std::string()}) {
    Push(garbage);
  }
  Send("task_name", "no_such_job", "{}");
  Send("task_args", "preheat", R"({"urls":"canary"})");
  EXPECT_EQ(EndOf("task_name").state, wire::State::kFailure);
  EXPECT_EQ(EndOf("task_args").state, wire::State::kFailure);
  Send("task_good", "preheat", PreheatArgument("http://origin/a", "all_peers"));
  EXPECT_EQ(EndOf("task_good").state, wire::State::kSuccess);
  EXPECT_EQ(Call(*broker_, {"LLEN", kQueue})->integer, 0) << "nothing is put back";
  EXPECT_EQ(scheduler_->Log().find("canary"), std::string::npos);
}

TEST_F(SchedulerQueueTest, APreheatOfNobodyIsAFailureThatSaysWhy) {
  Start();
  Send("task_1", "preheat", PreheatArgument("http://origin/a", "all_seed_peers"));
  const wire::TaskState state = EndOf("task_1");
  EXPECT_EQ(state.state, wire::State::kFailure);
  EXPECT_NE(state.error.find("no host is known"), std::string::npos) << state.error;
}

TEST_F(SchedulerQueueTest, RedisMayGoAndComeBack) {
  Start();
  FakeDfdaemon peer;
  AnnounceHost(channel_, "peer", peer.port());
  Send("task_1", "preheat", PreheatArgument("http://origin/a", "all_peers"));
  ASSERT_EQ(EndOf("task_1").state, wire::State::kSuccess);
  server_->Stop();
  EXPECT_TRUE(Eventually([this] {
    return scheduler_->Log().find("the queue of jobs cannot be asked") != std::string::npos;
  }));
  AnnounceHost(channel_, "peer", peer.port());
  ASSERT_TRUE(server_->Start()) << server_->error();
  ASSERT_TRUE(Eventually([this] { return Call(*broker_, {"PING"}).ok(); }));
  Send("task_2", "preheat", PreheatArgument("http://origin/b", "all_peers"));
  EXPECT_EQ(EndOf("task_2").state, wire::State::kSuccess);
}

TEST_F(SchedulerQueueTest, Sec_LogsInAndShowsNoPassword) {
  Redis::Options options;
  options.username = "jobs";
  options.password = "canary";
  Start(options);
  Send("task_sync", "sync_peers", std::nullopt);
  EXPECT_EQ(EndOf("task_sync").result.value_or(""), "[]");
  EXPECT_EQ(scheduler_->Log().find("canary"), std::string::npos);
}

TEST_F(SchedulerQueueTest, Sec_SpeaksTls) {
  common::crypto::testing::TestAuthority authority;
  std::string folder = (std::filesystem::temp_directory_path() / "queue-tls-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const common::crypto::TlsFiles files = authority.Write(folder, {});
  Redis::Options options;
  options.certificate_file = files.cert;
  options.key_file = files.key;
  options.more = {"--tls-ca-cert-file", files.ca_cert};
  common::crypto::TlsFiles trusted;
  trusted.ca_cert = files.ca_cert;
  options_.tls = common::crypto::testing::OpenSource(trusted);
  Start(options, "    tls:\n      caCert: " + files.ca_cert + "\n");
  Send("task_sync", "sync_peers", std::nullopt);
  EXPECT_EQ(EndOf("task_sync").result.value_or(""), "[]");
  std::filesystem::remove_all(folder);
}

TEST(SchedulerQueueConfig, WhatIsWrongIsNamed) {
  std::string folder = (std::filesystem::temp_directory_path() / "queue-config-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/scheduler.yaml";
  for (const auto& [lines, key] : std::vector<std::pair<std::string, std::string>>{
           {"    addrs: [redis]\n", "database.redis.addrs"},
           {"    addrs: [\"a:1\", \"b:1\"]\n", "masterName"},
           {"    tls:\n      insecureSkipVerify: true\n", "insecureSkipVerify"},
           {"    tls:\n      cert: /tmp/cert\n", "database.redis.tls"}}) {
    std::ofstream(path) << "database:\n  redis:\n" << lines;
    const Finished run = RunScheduler("--config " + path + " --print-config");
    EXPECT_NE(run.code, 0) << lines;
    EXPECT_NE(run.output.find(key), std::string::npos) << run.output;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dragonfly::tests
