#include "common/rpc/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <grpcpp/generic/generic_stub.h>

#include <fstream>
#include <future>

#include "common/os/simulated_clock.h"
#include "common/rpc/unix_listener.h"
#include "common/status/reason.h"
#include "tests/unit/common_rpc/rpc_test_util.h"

namespace dragonfly::common::rpc {
namespace {

using ServerTest = RpcTest;
using UnaryTest = RpcTest;
using UnixSocketTest = RpcTest;

DeleteRequest ValidDelete() {
  DeleteRequest request;
  request.set_host_id("host");
  return request;
}

TEST_F(UnaryTest, IsAnsweredFromAnotherThreadWithValueOrReason) {
  std::vector<std::thread> threads;
  scheduler_.delete_host = [&](const CallInfo&, const DeleteRequest& request,
                               UnaryReply<Empty> reply) {
    const bool known = request.host_id() == "host";
    threads.emplace_back([known, reply = std::move(reply)] {
      if (known) {
        reply.Send(Empty());
      } else {
        reply.Send(status::MakeStatus(absl::StatusCode::kNotFound,
                                      status::ErrorReason::kHostUnknown, "announce first"));
      }
      reply.Send(absl::InternalError("a second answer counts for nothing"));
    });
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(answer.ok()) << answer.status();
    DeleteRequest other;
    other.set_host_id("stranger");
    answer = co_await UnaryCall<Empty>(scope, CallOptions(), other, DeleteHost());
    EXPECT_TRUE(absl::IsNotFound(answer.status())) << answer.status();
    EXPECT_EQ(status::ReasonOf(answer.status()), status::ErrorReason::kHostUnknown);
  });
  server_->Shutdown(absl::Seconds(1));
  for (std::thread& thread : threads) thread.join();
}

TEST_F(UnaryTest, Sec_B14_AnInvalidRequestNeverReachesTheHandler) {
  scheduler_.delete_host = [](const CallInfo&, const DeleteRequest&, const UnaryReply<Empty>&) {
    ADD_FAILURE() << "an invalid request reached the handler";
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), DeleteRequest(), DeleteHost());
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
  });
}

TEST_F(UnaryTest, ACallThatNobodyAnswersIsInternal) {
  scheduler_.delete_host = [](const CallInfo&, const DeleteRequest&, const UnaryReply<Empty>&) {};
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(absl::IsInternal(answer.status())) << answer.status();
  });
}

TEST_F(UnaryTest, TheScopeEndsTheCallOnBothSides) {
  std::promise<void> cancelled;
  std::vector<UnaryReply<Empty>> held;
  scheduler_.delete_host = [&](const CallInfo&, const DeleteRequest&, UnaryReply<Empty> reply) {
    reply.OnCancel([&] { cancelled.set_value(); });
    held.push_back(std::move(reply));
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Milliseconds(50));
    CallOptions options;
    options.timeout = absl::Minutes(1);
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, options, ValidDelete(), DeleteHost());
    EXPECT_EQ(status::ReasonOf(answer.status()), status::ErrorReason::kTimeout);
  });
  EXPECT_EQ(cancelled.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(UnaryTest, ItsOwnTimeoutIsADeadline) {
  std::vector<UnaryReply<Empty>> held;
  scheduler_.delete_host = [&](const CallInfo& info, const DeleteRequest&,
                               UnaryReply<Empty> reply) {
    EXPECT_LT(info.deadline, absl::InfiniteFuture());
    held.push_back(std::move(reply));
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    CallOptions options;
    options.timeout = absl::Milliseconds(50);
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, options, ValidDelete(), DeleteHost());
    EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status())) << answer.status();
  });
  server_->Shutdown(absl::ZeroDuration());
}

TEST_F(UnaryTest, ACoroutineMayAnswerAndIsCancelledWithItsCaller) {
  async::Runtime service(1, "service");
  const async::Executor loop_executor = service.executor(0);
  auto group = std::make_unique<async::TaskGroup>(loop_executor);
  auto scope = std::make_unique<async::CancelScope>(loop_executor);
  const ServiceLoop loop = {loop_executor, group.get(), scope.get()};
  std::promise<absl::Status> ended;
  scheduler_.delete_host_raw = [&](::grpc::CallbackServerContext* context,
                                   const DeleteRequest* request, Empty* response) {
    auto body = [&ended](async::CancelScope& call_scope, CallInfo,
                         DeleteRequest got) -> async::Co<absl::StatusOr<Empty>> {
      if (got.host_id() == "host") co_return Empty();
      absl::Status slept = co_await async::Sleep(call_scope, absl::InfiniteDuration());
      ended.set_value(slept);
      co_return slept;
    };
    return ServeUnaryOn(loop, context, request, response, body);
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope outer(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(outer, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(answer.ok()) << answer.status();
    async::CancelScope inner(outer, absl::Milliseconds(50));
    DeleteRequest slow;
    slow.set_host_id("slow");
    answer = co_await UnaryCall<Empty>(inner, CallOptions(), slow, DeleteHost());
    EXPECT_FALSE(answer.ok());
  });
  std::future<absl::Status> end = ended.get_future();
  ASSERT_EQ(end.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(absl::IsCancelled(end.get()));
  server_->Shutdown(absl::ZeroDuration());
  async::RunToEnd(loop_executor, [&]() -> async::Co<void> {
    scope->Cancel(absl::CancelledError("down"));
    co_await group->Join();
    group.reset();
    scope.reset();
  });
}

TEST_F(ServerTest, AnswersHealthChecksAndUnknownMethods) {
  ServerOptions options;
  options.health_services = {"dfdaemon.v2.DfdaemonUpload"};
  StartServer(options);
  // grpc.health.v1.HealthCheckRequest{service = 1} and Response{status = 1}, by hand.
  auto check = [&](const std::string& service) {
    std::string bytes;
    if (!service.empty())
      bytes = "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
    ::grpc::Slice slice(bytes);
    ::grpc::ByteBuffer request(&slice, 1);
    ::grpc::GenericStub stub(channel_);
    ::grpc::ClientContext context;
    ::grpc::ByteBuffer response;
    std::promise<::grpc::Status> done;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", ::grpc::StubOptions(), &request,
                   &response, [&](const ::grpc::Status& status) { done.set_value(status); });
    const ::grpc::Status status = done.get_future().get();
    if (!status.ok()) return static_cast<int>(-status.error_code());
    ::grpc::Slice single;
    EXPECT_TRUE(response.TrySingleSlice(&single).ok());
    return static_cast<int>(single.begin()[1]);
  };
  constexpr int kServing = 1;
  constexpr int kNotServing = 2;
  EXPECT_EQ(check(""), kServing);
  EXPECT_EQ(check("dfdaemon.v2.DfdaemonUpload"), kServing);
  EXPECT_EQ(check("no.such.Service"), -::grpc::StatusCode::NOT_FOUND);
  server_->SetServing(false);
  EXPECT_EQ(check(""), kNotServing);
}

TEST_F(ServerTest, NamesTheMethodThatIsNotServed) {
  StartServer();
  {
    ::scheduler::v2::StatPeerRequest request;
    ::common::v2::Peer response;
    ::grpc::ClientContext context;
    const ::grpc::Status status = scheduler_stub_->StatPeer(&context, request, &response);
    EXPECT_EQ(status.error_code(), ::grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(status.error_message(),
              "/scheduler.v2.Scheduler/StatPeer is not served by this version");
  }
  {
    // A stream ends although the client has not said that it is done.
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    auto stream = scheduler_stub_->AnnounceCachePeer(&context);
    ::scheduler::v2::AnnounceCachePeerResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(stream->Finish().error_message(),
              "/scheduler.v2.Scheduler/AnnounceCachePeer is not served by this version");
  }
  const auto call = [&](const std::string& method) {
    ::grpc::TemplatedGenericStub<Empty, Empty> stub(channel_);
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    Empty request;
    Empty response;
    std::promise<::grpc::Status> done;
    stub.UnaryCall(&context, method, ::grpc::StubOptions(), &request, &response,
                   [&](const ::grpc::Status& status) { done.set_value(status); });
    return done.get_future().get();
  };
  const ::grpc::Status other = call("/scheduler.Scheduler/RegisterPeerTask");
  EXPECT_EQ(other.error_code(), ::grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(other.error_message(),
            "/scheduler.Scheduler/RegisterPeerTask is not served by this version");
  const ::grpc::Status far = call("/" + std::string(4000, 'x'));
  EXPECT_EQ(far.error_code(), ::grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(far.error_message(), "this method is not served by this version");
}

TEST_F(ServerTest, RefusesAServiceThatWouldBringThreads) {
  ::manager::v2::Manager::Service blocking;
  ServerOptions options;
  options.listen = {Loopback()};
  const auto server = Server::Start(options, {&blocking});
  EXPECT_TRUE(absl::IsInternal(server.status())) << server.status();
}

TEST_F(ServerTest, ATakenPortIsRefusedByName) {
  StartServer();
  ServerOptions options;
  options.listen = server_->endpoints();
  TestScheduler other;
  auto second = Server::Start(options, {&other});
  ASSERT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().message().find(options.listen[0].ToString()), absl::string_view::npos);
}

TEST_F(ServerTest, RefusesMessagesBeyondItsLimit) {
  scheduler_.delete_host = [](const CallInfo&, const DeleteRequest&,
                              const UnaryReply<Empty>& reply) { reply.Send(Empty()); };
  ServerOptions options;
  options.limits.max_receive_message_bytes = 1000;
  StartServer(options);
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    DeleteRequest big;
    big.set_host_id(std::string(2000, 'x'));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), big, DeleteHost());
    EXPECT_TRUE(absl::IsResourceExhausted(answer.status())) << answer.status();
    answer = co_await UnaryCall<Empty>(scope, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(answer.ok()) << answer.status();
  });
}

TEST_F(ServerTest, AnUnreachableAddressFailsTheCallSoon) {
  StartServer();
  const std::string gone = server_->endpoints()[0].ToString();
  server_->Shutdown(absl::ZeroDuration());
  scheduler_stub_ = ::scheduler::v2::Scheduler::NewStub(MakeChannel(gone, ChannelOptions()));
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
  });
}

TEST_F(UnixSocketTest, CallsCarryTheCredentialsOfTheirProcess) {
  std::optional<PeerCredentials> seen;
  std::string peer;
  scheduler_.delete_host = [&](const CallInfo& info, const DeleteRequest&,
                               const UnaryReply<Empty>& reply) {
    seen = info.credentials;
    peer = info.peer;
    reply.Send(Empty());
  };
  ServerOptions options;
  options.unix_socket = directory_ + "/daemon.sock";
  StartServer(options);
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    absl::StatusOr<Empty> answer =
        co_await UnaryCall<Empty>(scope, CallOptions(), ValidDelete(), DeleteHost());
    EXPECT_TRUE(answer.ok()) << answer.status();
  });
  ASSERT_TRUE(seen.has_value()) << peer;
  EXPECT_EQ(seen->pid, getpid());
  EXPECT_EQ(seen->uid, getuid());
  EXPECT_EQ(seen->gid, getgid());
}

TEST_F(UnixSocketTest, StreamsAndManyConnectionsWorkOverIt) {
  auto handler = std::make_shared<RecordingHandler<AnnounceRequest>>();
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    EXPECT_TRUE(stream->info().credentials.has_value());
    stream->Finish(stream->Write(Answer()));
    return handler;
  };
  ServerOptions options;
  options.unix_socket = directory_ + "/daemon.sock";
  StartServer(options);
  for (int i = 0; i < 20; ++i) {
    ::grpc::ChannelArguments arguments;
    arguments.SetInt("test.own_connection", i);
    auto channel = ::grpc::CreateCustomChannel("unix:" + options.unix_socket,
                                               ::grpc::InsecureChannelCredentials(), arguments);
    auto stub = ::scheduler::v2::Scheduler::NewStub(channel);
    ::grpc::ClientContext context;
    auto call = stub->AnnouncePeer(&context);
    AnnounceResponse response;
    EXPECT_TRUE(call->Read(&response));
    EXPECT_FALSE(call->Read(&response));
    EXPECT_TRUE(call->Finish().ok());
  }
}

TEST_F(UnixSocketTest, Sec_TheFileHasItsModeAndGoesWithTheServer) {
  const mode_t before = umask(0077);
  ServerOptions options;
  options.unix_socket = directory_ + "/daemon.sock";
  StartServer(options);
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(options.unix_socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  server_->Shutdown(absl::ZeroDuration());
  EXPECT_NE(stat(options.unix_socket.c_str(), &info), 0);
}

TEST_F(UnixSocketTest, ALiveSocketIsRefusedWithItsPidAndLeftAlone) {
  const std::string path = directory_ + "/daemon.sock";
  auto first = UnixListener::Bind(path, 0600);
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = UnixListener::Bind(path, 0600);
  ASSERT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().message().find("process " + std::to_string(getpid())),
            absl::string_view::npos);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(UnixSocketTest, AStaleSocketIsReplaced) {
  const std::string path = directory_ + "/daemon.sock";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path));
  auto listener = UnixListener::Bind(path, 0600);
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST_F(UnixSocketTest, Sec_OtherFilesAndLongPathsAreRefused) {
  const std::string path = directory_ + "/precious";
  std::ofstream(path) << "data";
  auto file = UnixListener::Bind(path, 0600);
  EXPECT_TRUE(absl::IsFailedPrecondition(file.status())) << file.status();
  EXPECT_EQ(std::filesystem::file_size(path), 4u);
  const std::string link = directory_ + "/link";
  std::filesystem::create_symlink(directory_ + "/elsewhere", link);
  auto through_link = UnixListener::Bind(link, 0600);
  EXPECT_FALSE(through_link.ok());
  auto long_path = UnixListener::Bind(directory_ + "/" + std::string(200, 'x'), 0600);
  EXPECT_TRUE(absl::IsInvalidArgument(long_path.status())) << long_path.status();
  auto missing = UnixListener::Bind(directory_ + "/none/daemon.sock", 0600);
  EXPECT_FALSE(missing.ok());
}

TEST(PeerTest, OnlyDescriptorsOfTheUnixSocketHaveCredentials) {
  PeerCredentials credentials;
  credentials.pid = 7;
  RememberCredentials(123456, credentials);
  EXPECT_EQ(CredentialsOf("fd:123456")->pid, 7);
  for (const char* peer : {"", "fd:", "fd:x", "fd:123457", "fd:123456x", "ipv4:127.0.0.1:123456",
                           "unix:", "fd:-1", "fd:99999999999999"}) {
    EXPECT_FALSE(CredentialsOf(peer).has_value()) << peer;
  }
}

TEST(ChannelPoolTest, SharesByTargetAndClosesWhatIsIdle) {
  os::SimulatedClock clock;
  ChannelPool::Limits limits;
  limits.idle = absl::Minutes(10);
  limits.max_channels = 3;
  ChannelPool pool(clock, ChannelOptions(), limits);
  auto held = pool.Get("10.0.0.1:1");
  EXPECT_EQ(pool.Get("10.0.0.1:1"), held);
  EXPECT_NE(pool.Get("10.0.0.2:1"), held);
  EXPECT_EQ(pool.size(), 2u);
  clock.Advance(absl::Minutes(11));
  pool.DropIdle();
  EXPECT_EQ(pool.size(), 1u) << "held ones stay";
  held.reset();
  pool.DropIdle();
  EXPECT_EQ(pool.size(), 0u);
  for (int i = 0; i < 10; ++i) {
    clock.Advance(absl::Seconds(1));
    EXPECT_NE(pool.Get("10.0.0.1:" + std::to_string(i + 1)), nullptr);
  }
  EXPECT_EQ(pool.size(), 3u);
}

}  // namespace
}  // namespace dragonfly::common::rpc
