// What jobs ask of daemons, over gRPC.

#include "scheduler/job/dfdaemon_client.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "tests/integration/scheduler/fake_dfdaemon.h"
#include "tests/testing/process.h"

namespace dragonfly::tests {
namespace {

namespace job = scheduler::job;
using common::async::CancelScope;
using common::async::Co;

class DfdaemonClientTest : public ::testing::Test {
 protected:
  static job::DaemonAddress At(int port) {
    return job::DaemonAddress("127.0.0.1:" + std::to_string(port), false);
  }
  job::DfdaemonClient Client(absl::Duration silence = absl::Minutes(1)) {
    job::DfdaemonClient::Options options;
    options.remote_ip = "10.0.0.9";
    options.silence = silence;
    return job::DfdaemonClient(seeds_, peers_, options);
  }
  absl::Status Download(job::DfdaemonClient& client, int port,
                        absl::Duration timeout = absl::Seconds(30)) {
    absl::Status status = absl::UnknownError("not run");
    const common::async::Executor executor = runtime_.executor(0);
    common::async::RunToEnd(executor, [&]() -> Co<void> {
      return DownloadBody(executor, client, At(port), timeout, status);
    });
    return status;
  }
  static Co<void> DownloadBody(common::async::Executor executor, job::DfdaemonClient& client,
                               job::DaemonAddress address, absl::Duration timeout,
                               absl::Status& out) {
    CancelScope scope(executor, timeout);
    job::Preheat preheat;
    preheat.urls = {"http://origin/file"};
    job::DownloadOrder order;
    order.preheat = &preheat;
    order.url = preheat.urls[0];
    order.timeout = absl::Minutes(5);
    absl::Status status = co_await client.Download(scope, std::move(address), std::move(order));
    out = status;
  }
  absl::StatusOr<job::LocalTask> Stat(job::DfdaemonClient& client, int port) {
    absl::StatusOr<job::LocalTask> task = absl::UnknownError("not run");
    const common::async::Executor executor = runtime_.executor(0);
    common::async::RunToEnd(
        executor, [&]() -> Co<void> { return StatBody(executor, client, At(port), task); });
    return task;
  }
  static Co<void> StatBody(common::async::Executor executor, job::DfdaemonClient& client,
                           job::DaemonAddress address, absl::StatusOr<job::LocalTask>& out) {
    CancelScope scope(executor, absl::Seconds(30));
    absl::StatusOr<job::LocalTask> task =
        co_await client.StatLocal(scope, std::move(address), "task");
    out = std::move(task);
  }

  common::async::Runtime runtime_{1, "jobs"};
  common::rpc::ChannelPool seeds_{common::os::PosixEnv().clock(), {}};
  common::rpc::ChannelPool peers_{common::os::PosixEnv().clock(), {}};
};

TEST_F(DfdaemonClientTest, ADownloadThatIsDoneIsOk) {
  FakeDfdaemon daemon;
  job::DfdaemonClient client = Client();
  EXPECT_TRUE(Download(client, daemon.port()).ok());
  EXPECT_EQ(daemon.downloads()[0].remote_ip(), "10.0.0.9");
  EXPECT_EQ(daemon.downloads()[0].timeout().seconds(), 300);
}

TEST_F(DfdaemonClientTest, ADaemonThatIsSilentIsGivenUp) {
  FakeDfdaemon daemon;
  daemon.Hang();
  job::DfdaemonClient client = Client(absl::Milliseconds(50));
  const absl::Status status = Download(client, daemon.port());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(status.message().find("has said nothing for 50ms"), absl::string_view::npos) << status;
}

TEST_F(DfdaemonClientTest, ACallEndsWithItsScope) {
  FakeDfdaemon daemon;
  daemon.Hang();
  job::DfdaemonClient client = Client();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Download(client, daemon.port(), absl::Milliseconds(100))));
}

TEST_F(DfdaemonClientTest, NobodyThereIsUnavailable) {
  job::DfdaemonClient client = Client();
  const int port = testing::FreePort();
  EXPECT_TRUE(absl::IsUnavailable(Download(client, port)));
  EXPECT_TRUE(absl::IsUnavailable(Stat(client, port).status()));
}

TEST_F(DfdaemonClientTest, ATaskIsThereInPartOrWholeOrNot) {
  FakeDfdaemon daemon;
  job::DfdaemonClient client = Client();
  EXPECT_TRUE(absl::IsNotFound(Stat(client, daemon.port()).status()));
  daemon.Hold("task", false);
  EXPECT_FALSE(Stat(client, daemon.port())->finished);
  daemon.Hold("task", true);
  const absl::StatusOr<job::LocalTask> task = Stat(client, daemon.port());
  EXPECT_TRUE(task->finished);
  EXPECT_EQ(task->created, absl::FromUnixSeconds(1'700'000'000));
}

}  // namespace
}  // namespace dragonfly::tests
