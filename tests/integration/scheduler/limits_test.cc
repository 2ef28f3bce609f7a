// What the scheduler program refuses: its configuration, the answer and the metric of each limit.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "common/async/runtime.h"
#include "common/async/testing/talk.h"
#include "tests/integration/scheduler/scheduler_process.h"
#include "tests/integration/scheduler/swarm_client.h"

namespace dragonfly::tests {
namespace {

using ::grpc::StatusCode;

class SchedulerLimitsTest : public ::testing::Test {
 protected:
  // A connection of its own.
  static std::shared_ptr<::grpc::Channel> Connect(const SchedulerProcess& scheduler) {
    static int number = 0;
    ::grpc::ChannelArguments arguments;
    arguments.SetInt("test.own_connection", ++number);
    return ::grpc::CreateCustomChannel(scheduler.address(), ::grpc::InsecureChannelCredentials(),
                                       arguments);
  }
  static ::grpc::Status Ask(const std::shared_ptr<::grpc::Channel>& channel) {
    auto stub = pb::Scheduler::NewStub(channel);
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    pb::ListHostsResponse response;
    return stub->ListHosts(&context, pb::ListHostsRequest(), &response);
  }
  int Exceeded(const SchedulerProcess& scheduler, const std::string& limit) {
    const std::string page = common::async::testing::Talk(
        runtime_.executor(0), *common::net::Endpoint::Parse(scheduler.metrics_address()),
        "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    const std::string name = "dragonfly_scheduler_limit_exceeded_total{limit=\"" + limit + "\"} ";
    const size_t at = page.find(name);
    return at == std::string::npos ? -1 : std::atoi(page.c_str() + at + name.size());
  }

  common::async::Runtime runtime_{1, "test"};
};

TEST_F(SchedulerLimitsTest, Sec_ConnectionsOfOneAddressAreBounded) {
  SchedulerProcess scheduler("", "", "  maxConnectionsPerSource: 1\n");
  auto first = Connect(scheduler);
  ASSERT_TRUE(Ask(first).ok());
  EXPECT_EQ(Ask(Connect(scheduler)).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_GE(Exceeded(scheduler, "connections_per_source"), 1);
  EXPECT_TRUE(Ask(first).ok());
  EXPECT_NE(scheduler.Log().find("limit exceeded limit=connections_per_source listener=gRPC "
                                 "source=127.0.0.1"),
            std::string::npos);
}

TEST_F(SchedulerLimitsTest, Sec_TheRateOfRequestsIsBounded) {
  SchedulerProcess scheduler("", "", "  requestRateLimit: 5\n");
  auto channel = Connect(scheduler);
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    const ::grpc::Status answer = Ask(channel);
    if (answer.ok()) continue;
    EXPECT_EQ(answer.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_NE(answer.error_message().find("server.requestRateLimit"), std::string::npos);
    ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(Exceeded(scheduler, "rate"), refused);
}

TEST_F(SchedulerLimitsTest, Sec_StreamsOfOneHostForOneTaskAreBounded) {
  SchedulerProcess scheduler;
  auto channel = Connect(scheduler);
  AnnounceHost(channel, "h1");
  std::vector<std::unique_ptr<PeerStream>> streams;
  for (int i = 0; i < 65; ++i) {
    streams.push_back(std::make_unique<PeerStream>(channel, "h1", "task", "p" + std::to_string(i)));
    streams.back()->Register();
  }
  // Whichever comes last.
  std::vector<::grpc::Status> ended;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (ended.empty() && absl::Now() < deadline) {
    for (auto& stream : streams) {
      const auto end = stream->Ended(0.01);
      if (end) ended.push_back(*end);
    }
  }
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].error_code(), StatusCode::RESOURCE_EXHAUSTED) << ended[0].error_message();
  EXPECT_EQ(Exceeded(scheduler, "streams_per_task"), 1);
  PeerStream other_task(channel, "h1", "other", "p");
  other_task.Register();
  EXPECT_TRUE(other_task.Next().has_value());
}

}  // namespace
}  // namespace dragonfly::tests
