#include <condition_variable>
#include <future>
#include <mutex>
#include <variant>

#include "common/async/runtime.h"
#include "common/os/env.h"
#include "common/rpc/reactor.h"
#include "common/rpc/testing/loopback_server.h"
#include "common/status/reason.h"
#include "dfdaemon/node/grpc_parent_dialer.h"
#include "gtest/gtest.h"
#include "tests/integration/node/parent_methods.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::ReasonOf;
namespace wire = ::dfdaemon::v2;

// Of the download that asks: told to the parent with every call.
common::trace::SpanContext TraceOfTest() {
  return *common::trace::SpanContext::Parse(
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=x");
}

// A parent that has the pieces it is asked for, until told otherwise.
class TestParent final : public ParentOfAllKinds<TestParent> {
 public:
  std::string ip = "127.0.0.1";
  std::optional<int32_t> tcp_port = 4321;
  bool keepalive = true;
  bool ends = true;
  absl::Status status;

  template <typename Req, typename Resp>
  ::grpc::ServerWriteReactor<Resp>* Serve(common::id::TaskKind /*kind*/,
                                          ::grpc::CallbackServerContext* context,
                                          const Req* request) {
    common::rpc::StreamOptions options;
    if (keepalive) options.extensions = {common::rpc::kKeepalive};
    return common::rpc::ServeWriter<Req, Resp>(
        context, request, options,
        [this](std::shared_ptr<common::rpc::ServerStream<Resp>> stream, const Req& wanted) {
          EXPECT_EQ(wanted.host_id(), "me");
          EXPECT_EQ(stream->info().trace, TraceOfTest());
          for (const uint32_t number : wanted.interested_piece_numbers()) {
            Resp response;
            response.set_number(number);
            response.set_offset(number * 100);
            response.set_length(100);
            response.set_ip(ip);
            if (tcp_port) response.set_tcp_port(*tcp_port);
            EXPECT_TRUE(stream->Write(response).ok());
          }
          if (ends) stream->Finish(status);
          return std::make_shared<common::rpc::StreamEvents>();
        });
  }
  ::grpc::ServerWriteReactor<::common::v2::Host>* SyncHost(
      ::grpc::CallbackServerContext* context, const wire::SyncHostRequest* request) override {
    return common::rpc::ServeWriter<wire::SyncHostRequest, ::common::v2::Host>(
        context, request, common::rpc::StreamOptions(),
        [](std::shared_ptr<common::rpc::ServerStream<::common::v2::Host>> stream,
           const wire::SyncHostRequest&) {
          EXPECT_EQ(stream->info().trace, TraceOfTest());
          ::common::v2::Host host;
          host.mutable_network()->set_max_tx_bandwidth(1000);
          host.mutable_network()->set_tx_bandwidth(10);
          EXPECT_TRUE(stream->Write(host).ok());
          return std::make_shared<common::rpc::StreamEvents>();
        });
  }

  void Start() { server_.Start(*this); }
  uint16_t port() const { return server_.port(); }

 private:
  common::rpc::testing::LoopbackServer server_;
};

class News {
 public:
  void Add(ParentNews news) {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
    changed_.notify_all();
  }
  template <typename T>
  std::vector<T> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    std::vector<T> found;
    changed_.wait_for(lock, std::chrono::seconds(30), [&] {
      found.clear();
      for (const ParentNews& each : news_) {
        if (const T* it = std::get_if<T>(&each)) found.push_back(*it);
      }
      return found.size() >= count;
    });
    return found;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ParentNews> news_;
};

class ParentDialerTest : public ::testing::TestWithParam<TaskKind> {
 protected:
  ParentDialerTest() { allow_.allow_loopback = true; }
  void TearDown() override {
    OnExecutor([this] { link_ = nullptr; });
    dialer_ = nullptr;
  }
  void MakeDialer(GrpcParentDialer::Options options = GrpcParentDialer::Options()) {
    options.identity.host_id = "me";
    options.identity.hostname = "node";
    options.identity.ip = "127.0.0.1";
    policy_ = std::make_unique<common::net::EgressPolicy>(allow_);
    dialer_ = std::make_unique<GrpcParentDialer>(runtime_, channels_, common::os::PosixEnv(),
                                                 *policy_, options);
  }
  void OnExecutor(const std::function<void()>& what) {
    std::promise<void> done;
    common::async::Post(runtime_.executor(0), [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::shared_ptr<News> Open(const std::string& ip, uint16_t port,
                             std::vector<core::PieceNumber> wanted = {0, 1, 2}) {
    auto news = std::make_shared<News>();
    core::ParentInfo parent;
    parent.peer_id = "p1";
    parent.host_id = "h1";
    parent.ip = ip;
    parent.port = port;
    common::id::TaskKey key;
    key.kind = GetParam();
    key.id = std::string(64, 'a');
    OnExecutor([&] {
      link_ = dialer_->Open(runtime_.executor(0), key, parent, std::move(wanted), TraceOfTest(),
                            [news](ParentNews each) { news->Add(std::move(each)); });
    });
    return news;
  }
  std::optional<transfer::PieceTarget> Target() {
    std::optional<transfer::PieceTarget> target;
    OnExecutor([&] { target = link_->target(); });
    return target;
  }
  static ErrorReason ReasonOfEnd(News& news) {
    const auto ended = news.WaitFor<core::ParentEnded>(1);
    return ended.empty() ? ErrorReason::kUnknown : ReasonOf(ended[0].status);
  }

  TestParent parent_;
  common::net::EgressPolicy::Options allow_;
  std::unique_ptr<common::net::EgressPolicy> policy_;
  common::async::Runtime runtime_{1, "dial-test"};
  common::rpc::ChannelPool channels_{common::os::PosixEnv().clock(), common::rpc::ChannelOptions()};
  std::unique_ptr<GrpcParentDialer> dialer_;
  std::unique_ptr<ParentLink> link_;
};

TEST_P(ParentDialerTest, TellsWhatTheParentHasAndWhereItIsFetched) {
  parent_.Start();
  MakeDialer();
  auto news = Open("127.0.0.1", parent_.port());
  const auto offers = news->WaitFor<core::ParentOffers>(3);
  ASSERT_EQ(offers.size(), 3U);
  EXPECT_EQ(offers[2].peer_id, "p1");
  EXPECT_EQ(offers[2].offers.at(0).number, 2U);
  EXPECT_EQ(offers[2].offers.at(0).offset, 200U);
  EXPECT_EQ(offers[2].offers.at(0).length, 100U);
  const auto ended = news->WaitFor<core::ParentEnded>(1);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].status.ok()) << ended[0].status;
  const auto target = Target();
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->endpoint.ToString(), "127.0.0.1:4321");
  EXPECT_TRUE(target->keepalive);
  const auto load = news->WaitFor<core::ParentLoad>(1);
  ASSERT_FALSE(load.empty());
  EXPECT_EQ(load[0].host_id, "h1");
  EXPECT_EQ(load[0].max_tx_bandwidth, 1000U);
}

TEST_P(ParentDialerTest, TreatsParentsOfUpstreamAsUpstreamDoes) {
  parent_.keepalive = false;
  parent_.tcp_port = std::nullopt;
  parent_.Start();
  MakeDialer();
  auto news = Open("127.0.0.1", parent_.port());
  ASSERT_FALSE(news->WaitFor<core::ParentEnded>(1).empty());
  const auto target = Target();
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->endpoint.port, 4005);
  EXPECT_FALSE(target->keepalive);
}

TEST_P(ParentDialerTest, TellsThatAParentDoesNotHaveTheTask) {
  parent_.status = absl::InternalError("task not found");
  parent_.Start();
  MakeDialer();
  auto news = Open("127.0.0.1", parent_.port());
  EXPECT_EQ(ReasonOfEnd(*news), ErrorReason::kNotFound);
}

TEST_P(ParentDialerTest, LeavesAParentAloneThatCouldNotBeReached) {
  MakeDialer();
  parent_.Start();
  const uint16_t port = parent_.port();
  // A port that nobody listens on any more.
  uint16_t closed = 0;
  {
    TestParent gone;
    gone.Start();
    closed = gone.port();
  }
  auto first = Open("127.0.0.1", closed);
  EXPECT_EQ(ReasonOfEnd(*first), ErrorReason::kParentUnreachable);
  auto second = Open("127.0.0.1", closed);
  const auto ended = second->WaitFor<core::ParentEnded>(1);
  ASSERT_FALSE(ended.empty());
  EXPECT_NE(ended[0].status.ToString().find("left alone"), std::string::npos) << ended[0].status;
  auto other = Open("127.0.0.1", port);
  EXPECT_EQ(other->WaitFor<core::ParentOffers>(3).size(), 3U);
}

TEST_P(ParentDialerTest, EndsItsStreamsWhenTheLinkIsClosed) {
  parent_.ends = false;
  parent_.Start();
  MakeDialer();
  auto news = Open("127.0.0.1", parent_.port());
  ASSERT_EQ(news->WaitFor<core::ParentOffers>(3).size(), 3U);
  OnExecutor([this] { link_ = nullptr; });
  dialer_->Stop();  // returns: nothing is left running
  EXPECT_TRUE(news->WaitFor<core::ParentEnded>(0).empty());
}

TEST_P(ParentDialerTest, Sec_D3_RefusesWhatTheEgressPolicyDoes) {
  allow_.allow_loopback = false;
  parent_.Start();
  MakeDialer();
  for (const char* ip : {"127.0.0.1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1",
                         "not an address"}) {
    auto news = Open(ip, parent_.port());
    EXPECT_EQ(ReasonOfEnd(*news), ErrorReason::kForbidden) << ip;
  }
  auto news = Open("10.0.0.1", 0);
  EXPECT_EQ(ReasonOfEnd(*news), ErrorReason::kInvalidArgument);
}

TEST_P(ParentDialerTest, Sec_D3_JudgesTheAddressOfThePiecesToo) {
  parent_.ip = "169.254.169.254";
  parent_.Start();
  MakeDialer();
  auto news = Open("127.0.0.1", parent_.port());
  EXPECT_EQ(ReasonOfEnd(*news), ErrorReason::kForbidden);
  EXPECT_FALSE(Target().has_value());
}

TEST_P(ParentDialerTest, Sec_D3_RefusesPortsAndAddressesThatAreNone) {
  parent_.tcp_port = 70000;
  parent_.Start();
  MakeDialer();
  EXPECT_EQ(ReasonOfEnd(*Open("127.0.0.1", parent_.port())), ErrorReason::kParentProtocol);
  parent_.tcp_port = 4321;
  parent_.ip = "localhost";
  EXPECT_EQ(ReasonOfEnd(*Open("127.0.0.1", parent_.port())), ErrorReason::kParentProtocol);
}

TEST_P(ParentDialerTest, Sec_D3_DoesNotDialItself) {
  parent_.Start();
  GrpcParentDialer::Options options;
  options.identity.upload_port = parent_.port();
  MakeDialer(options);
  EXPECT_EQ(ReasonOfEnd(*Open("127.0.0.1", parent_.port())), ErrorReason::kForbidden);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ParentDialerTest, ::testing::ValuesIn(common::id::kAllTaskKinds),
                         [](const auto& param) {
                           std::string name(common::id::TaskKindName(param.param));
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace dragonfly::dfdaemon::node
