// The client against a real redis-server: logins, TLS, loss and return, Sentinels, pool and limits.

#include "common/redis/client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "scheduler/job/redis_broker.h"
#include "tests/testing/process.h"
#include "tests/testing/redis.h"

namespace dragonfly::tests {
namespace {

namespace redis = common::redis;
using common::async::CancelScope;
using common::async::Co;
using testing::Redis;
using testing::RedisSentinel;

class RedisTest : public ::testing::Test {
 protected:
  using Command = std::vector<std::string>;

  redis::Client::Options To(const std::string& address) {
    redis::Client::Options options;
    options.addresses = {*redis::ParseHostPort(address)};
    options.first_pause = absl::Milliseconds(1);
    options.longest_pause = absl::Milliseconds(20);
    return options;
  }
  void Open(redis::Client::Options options) {
    Close();
    client_ =
        std::make_unique<redis::Client>(executor(), common::os::PosixEnv(), std::move(options));
  }
  void Close() {
    if (client_ == nullptr) return;
    common::async::RunToEnd(executor(), [this] { return client_->Close(); });
    client_ = nullptr;
  }
  void TearDown() override { Close(); }
  common::async::Executor executor() { return runtime_.executor(0); }

  absl::StatusOr<redis::Reply> Call(Command command, absl::Duration timeout = absl::Seconds(30)) {
    absl::StatusOr<redis::Reply> reply = absl::UnknownError("not run");
    common::async::RunToEnd(executor(), [&]() -> Co<void> {
      return CallBody(executor(), *client_, command, timeout, reply);
    });
    return reply;
  }
  static Co<void> CallBody(common::async::Executor executor, redis::Client& client, Command command,
                           absl::Duration timeout, absl::StatusOr<redis::Reply>& out) {
    CancelScope scope(executor, timeout);
    absl::StatusOr<redis::Reply> reply = co_await client.Call(scope, std::move(command));
    out = std::move(reply);
  }
  bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  common::async::Runtime runtime_{1, "redis"};
  std::unique_ptr<redis::Client> client_;
};

Co<void> CallInto(common::async::Executor executor, redis::Client& client,
                  std::vector<std::string> command, absl::Duration timeout, absl::Status& out) {
  CancelScope scope(executor, timeout);
  absl::StatusOr<redis::Reply> reply = co_await client.Call(scope, std::move(command));
  out = reply.status();
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Co<void> TwoAtOnce(common::async::Executor executor, redis::Client& client, absl::Status& blocked,
                   absl::Status& beside) {
  common::async::TaskGroup group(executor);
  group.Spawn(CallInto(executor, client, Words("BLPOP none 0"), absl::Milliseconds(500), blocked));
  group.Spawn(CallInto(executor, client, Words("PING"), absl::Seconds(30), beside));
  co_await group.Join();
}

Co<void> CloseWhileBlocked(common::async::Executor executor, redis::Client& client,
                           absl::Status& blocked) {
  common::async::TaskGroup group(executor);
  group.Spawn(CallInto(executor, client, Words("BLPOP none 0"), absl::Seconds(30), blocked));
  CancelScope scope(executor, absl::Seconds(20));
  while (client.open_connections() == 0 && !scope.cancelled()) {
    absl::Status slept = co_await common::async::Sleep(scope, absl::Milliseconds(1));
    if (!slept.ok()) break;
  }
  co_await client.Close();
  co_await group.Join();
}

Co<void> UseBroker(common::async::Executor executor, scheduler::job::RedisBroker& jobs,
                   redis::Client& broker, redis::Client& results) {
  CancelScope scope(executor, absl::Seconds(30));
  for (const char* command : {"RPUSH global c", "RPUSH scheduler_1_h_10.0.0.1 a b"}) {
    absl::StatusOr<redis::Reply> pushed = co_await broker.Call(scope, Words(command));
    EXPECT_TRUE(pushed.ok()) << pushed.status();
  }
  for (const char* expected : {"a", "b", "c"}) {
    absl::StatusOr<std::optional<std::string>> taken = co_await jobs.Take(scope);
    EXPECT_TRUE(taken.ok()) << taken.status();
    if (taken.ok()) {
      EXPECT_EQ(taken->value_or(""), expected);
    }
  }
  absl::StatusOr<std::optional<std::string>> none = co_await jobs.Take(scope);
  EXPECT_TRUE(none.ok() && !none->has_value()) << "a poll ends by itself";
  absl::StatusOr<std::optional<common::job::TaskState>> missing =
      co_await jobs.Read(scope, "task_1");
  EXPECT_TRUE(missing.ok() && !missing->has_value());
  common::job::TaskState state;
  state.uuid = "task_1";
  state.state = common::job::State::kStarted;
  state.created = absl::FromUnixSeconds(1);
  absl::Status written = co_await jobs.Write(scope, state);
  EXPECT_TRUE(written.ok()) << written;
  absl::StatusOr<std::optional<common::job::TaskState>> read = co_await jobs.Read(scope, "task_1");
  EXPECT_TRUE(read.ok() && read->has_value());
  if (read.ok() && read->has_value()) {
    EXPECT_EQ(**read, state);
  }
  co_await broker.Close();
  co_await results.Close();
}

TEST_F(RedisTest, CarriesAnyBytes) {
  Redis server;
  ASSERT_EQ(server.error(), "");
  Open(To(server.address()));
  const std::string bytes("a\0\r\n\xff", 5);
  EXPECT_EQ(Call({"SET", bytes, bytes})->AsText(), "OK");
  EXPECT_EQ(Call({"GET", bytes})->AsText(), bytes);
  EXPECT_TRUE(Call({"GET", "none"})->is_nil());
  EXPECT_EQ(Call({"RPUSH", "list", "x", "y"})->integer, 2);
  EXPECT_EQ(Call({"LRANGE", "list", "0", "-1"})->array.size(), 2U);
  EXPECT_EQ(client_->open_connections(), 1U) << "used again";
}

TEST_F(RedisTest, DatabasesAreApart) {
  Redis server;
  Open(To(server.address()));
  ASSERT_TRUE(Call({"SET", "a", "0"}).ok());
  redis::Client::Options other = To(server.address());
  other.login.database = 2;
  Open(other);
  EXPECT_TRUE(Call({"GET", "a"})->is_nil());
  other.login.database = 99;
  Open(other);
  const absl::Status refused = Call({"GET", "a"}).status();
  EXPECT_NE(refused.message().find("SELECT"), absl::string_view::npos) << refused;
}

TEST_F(RedisTest, Sec_LogsInByPasswordAndByUserAndShowsNeither) {
  Redis::Options with_password;
  with_password.password = "canary";
  Redis server(with_password);
  ASSERT_EQ(server.error(), "");
  Redis::Options with_user;
  with_user.username = "jobs";
  with_user.password = "canary";
  Redis acl(with_user);
  ASSERT_EQ(acl.error(), "");

  redis::Client::Options options = To(server.address());
  options.login.password = "canary";
  Open(options);
  EXPECT_TRUE(Call({"PING"}).ok());
  options = To(acl.address());
  options.login.username = "jobs";
  options.login.password = "canary";
  Open(options);
  EXPECT_TRUE(Call({"PING"}).ok());

  options.login.password = "another-canary";
  for (const std::string& address : {server.address(), acl.address()}) {
    for (const char* user : {"", "jobs"}) {
      options.addresses = {*redis::ParseHostPort(address)};
      options.login.username = user;
      Open(options);
      const absl::Status refused = Call({"PING"}).status();
      EXPECT_TRUE(absl::IsUnauthenticated(refused)) << refused;
      EXPECT_NE(refused.message().find(address), absl::string_view::npos) << refused;
      EXPECT_EQ(refused.message().find("canary"), absl::string_view::npos) << refused;
    }
  }
  Open(To(server.address()));
  EXPECT_TRUE(absl::IsUnauthenticated(Call({"PING"}).status())) << "no login at all";
}

TEST_F(RedisTest, ErrorsNameServerAndCommandAndNoArguments) {
  Redis server;
  Open(To(server.address()));
  ASSERT_TRUE(Call({"SET", "a", "text"}).ok());
  const absl::Status wrong = Call({"LPUSH", "a", "canary"}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(wrong)) << wrong;
  EXPECT_NE(wrong.message().find(server.address() + ": LPUSH"), absl::string_view::npos) << wrong;
  const absl::Status unknown = Call({"NONSENSE", "canary"}).status();
  EXPECT_EQ(unknown.message().find("canary"), absl::string_view::npos) << unknown;
  EXPECT_TRUE(Call({"PING"}).ok()) << "the connection is good after an error";
}

TEST_F(RedisTest, ComesBackWhenTheServerDoes) {
  Redis server;
  Open(To(server.address()));
  ASSERT_TRUE(Call({"PING"}).ok());
  server.Stop();
  EXPECT_TRUE(absl::IsUnavailable(Call({"PING"}).status()));
  EXPECT_TRUE(absl::IsUnavailable(Call({"PING"}).status()));
  ASSERT_TRUE(server.Start()) << server.error();
  EXPECT_TRUE(Eventually([this] { return Call({"PING"}).ok(); }));
}

TEST_F(RedisTest, AServerThatIsAMasterNoMoreIsLeft) {
  Redis server;
  Open(To(server.address()));
  ASSERT_TRUE(Call({"REPLICAOF", "127.0.0.1", std::to_string(testing::FreePort())}).ok());
  const absl::Status refused = Call({"SET", "a", "1"}).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(client_->open_connections(), 0U);
  ASSERT_TRUE(Call({"REPLICAOF", "NO", "ONE"}).ok());
  EXPECT_TRUE(Call({"SET", "a", "1"}).ok());
}

TEST_F(RedisTest, AfterAFailureTheNextAttemptWaits) {
  redis::Client::Options options = To("127.0.0.1:" + std::to_string(testing::FreePort()));
  options.first_pause = absl::Minutes(10);
  options.longest_pause = absl::Minutes(10);
  Open(options);
  EXPECT_TRUE(absl::IsUnavailable(Call({"PING"}).status()));
  const absl::Status soon = Call({"PING"}).status();
  EXPECT_TRUE(absl::IsUnavailable(soon));
  EXPECT_NE(soon.message().find("next attempt in"), absl::string_view::npos) << soon;
}

TEST_F(RedisTest, ThePoolIsBoundedAndAWaitEnds) {
  Redis server;
  redis::Client::Options options = To(server.address());
  options.pool_size = 1;
  options.pool_timeout = absl::Milliseconds(50);
  Open(options);
  absl::Status blocked = absl::UnknownError("not run");
  absl::Status beside = absl::UnknownError("not run");
  common::async::RunToEnd(
      executor(), [&]() -> Co<void> { return TwoAtOnce(executor(), *client_, blocked, beside); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(blocked)) << blocked;
  EXPECT_TRUE(absl::IsDeadlineExceeded(beside)) << beside;
  EXPECT_NE(beside.message().find("none of 1 connections"), absl::string_view::npos) << beside;
  EXPECT_TRUE(Call({"PING"}).ok()) << "the place of a call that was given up is free";
}

TEST_F(RedisTest, AnAnswerThatDoesNotComeEndsTheCall) {
  Redis server;
  redis::Client::Options options = To(server.address());
  options.call_timeout = absl::Milliseconds(50);
  Open(options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(Call({"BLPOP", "none", "0"}).status()));
  EXPECT_TRUE(Call({"PING"}).ok());
}

TEST_F(RedisTest, ClosingEndsACallThatWaits) {
  Redis server;
  Open(To(server.address()));
  absl::Status blocked;
  common::async::RunToEnd(
      executor(), [&]() -> Co<void> { return CloseWhileBlocked(executor(), *client_, blocked); });
  EXPECT_TRUE(absl::IsCancelled(blocked)) << blocked;
  EXPECT_TRUE(absl::IsCancelled(Call({"PING"}).status()));
}

TEST_F(RedisTest, Sec_SpeaksTlsAndBelievesItsAuthorityOnly) {
  common::crypto::testing::TestAuthority authority;
  common::crypto::testing::TestAuthority other("another authority");
  std::string folder = (std::filesystem::temp_directory_path() / "redis-tls-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::filesystem::create_directory(folder + "/other");
  const common::crypto::TlsFiles files = authority.Write(folder, {});
  const common::crypto::TlsFiles others = other.Write(folder + "/other", {});
  Redis::Options server_options;
  server_options.certificate_file = files.cert;
  server_options.key_file = files.key;
  server_options.more = {"--tls-ca-cert-file", files.ca_cert};
  Redis server(server_options);
  ASSERT_EQ(server.error(), "");
  redis::Client::Options options = To(server.address());
  common::crypto::TlsFiles trusted;
  trusted.ca_cert = files.ca_cert;
  options.tls = common::crypto::testing::OpenSource(trusted);
  Open(options);
  EXPECT_EQ(Call({"PING"})->AsText(), "PONG");
  trusted.ca_cert = others.ca_cert;
  options.tls = common::crypto::testing::OpenSource(trusted);
  Open(options);
  EXPECT_TRUE(absl::IsUnauthenticated(Call({"PING"}).status())) << Call({"PING"}).status();
  options.tls = nullptr;
  Open(options);
  EXPECT_FALSE(Call({"PING"}, absl::Seconds(5)).ok()) << "never in plaintext";
  std::filesystem::remove_all(folder);
}

TEST_F(RedisTest, FindsTheMasterBySentinelsThatAnswer) {
  Redis master;
  ASSERT_EQ(master.error(), "");
  RedisSentinel sentinel(master);
  ASSERT_EQ(sentinel.error(), "");
  redis::Client::Options options = To("127.0.0.1:" + std::to_string(testing::FreePort()));
  options.addresses.push_back(*redis::ParseHostPort(sentinel.address()));
  options.master_name = "main";
  Open(options);
  EXPECT_TRUE(Eventually([this] { return Call({"PING"}).ok(); })) << Call({"PING"}).status();
  options.master_name = "nobody";
  Open(options);
  const absl::Status unknown = Call({"PING"}).status();
  EXPECT_TRUE(absl::IsUnavailable(unknown)) << unknown;
  EXPECT_NE(unknown.message().find("nobody"), absl::string_view::npos) << unknown;
}

TEST_F(RedisTest, QueuesAndResultsAreWhereUpstreamLooksForThem) {
  Redis server;
  redis::Client::Options options = To(server.address());
  options.login.database = 2;
  Open(options);
  redis::Client results(executor(), common::os::PosixEnv(), options);
  options.login.database = 1;
  redis::Client broker(executor(), common::os::PosixEnv(), options);
  scheduler::job::RedisBroker jobs(broker, results,
                                   {"scheduler_1_h_10.0.0.1", "schedulers", "global"});
  common::async::RunToEnd(
      executor(), [&]() -> Co<void> { return UseBroker(executor(), jobs, broker, results); });
  const int64_t life_seconds = Call({"TTL", "task_1"})->integer;
  EXPECT_GT(life_seconds, 86'000);
  EXPECT_LE(life_seconds, 86'400);
  EXPECT_NE(Call({"GET", "task_1"})->text.find(R"("State":"STARTED")"), std::string::npos);
}

}  // namespace
}  // namespace dragonfly::tests
