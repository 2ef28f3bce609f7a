#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "common/rpc/server.h"
#include "proto/dfdaemon_v2.grpc.pb.h"
#include "proto/manager_v2.grpc.pb.h"
#include "proto/scheduler_v2.grpc.pb.h"

namespace dragonfly::common::rpc {

using AnnounceRequest = ::scheduler::v2::AnnouncePeerRequest;
using AnnounceResponse = ::scheduler::v2::AnnouncePeerResponse;
using PiecesRequest = ::dfdaemon::v2::SyncPiecesRequest;
using PiecesResponse = ::dfdaemon::v2::SyncPiecesResponse;
using DeleteRequest = ::scheduler::v2::DeleteHostRequest;
using KeepAliveRequest = ::manager::v2::KeepAliveRequest;
using ::google::protobuf::Empty;

inline AnnounceRequest ValidAnnounce(const std::string& task = "task") {
  AnnounceRequest request;
  request.set_host_id("host");
  request.set_task_id(task);
  request.set_peer_id("peer");
  request.mutable_download_peer_started_request();
  return request;
}

inline AnnounceResponse Answer() {
  AnnounceResponse response;
  response.mutable_empty_task_response();
  return response;
}

// What happened to a stream, to be waited for with a deadline. Behaviour is set by functions.
template <typename Req>
class RecordingHandler : public StreamHandler<Req> {
 public:
  std::function<void(Req)> on_message;
  std::function<void()> on_half_close;

  void OnMessage(Req message) override {
    Record("message");
    if (on_message) on_message(std::move(message));
  }
  void OnHalfClose() override {
    Record("half-close");
    if (on_half_close) on_half_close();
  }
  void OnCancel() override { Record("cancel"); }
  void OnWritable() override { Record("writable"); }
  void OnDone() override { Record("done"); }

  int Count(const std::string& event) {
    std::lock_guard lock(mutex_);
    return static_cast<int>(std::ranges::count(events_, event));
  }
  bool WaitFor(const std::string& event, int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return std::ranges::count(events_, event) >= count; });
  }

 private:
  void Record(const std::string& event) {
    std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
};

// Their bodies are in rpc_test_services.cc: a source that constructs a generated service compiles
// all that it serves.
class TestScheduler final
    : public OnlyMarked<::scheduler::v2::Scheduler::WithCallbackMethod_AnnouncePeer<
          ::scheduler::v2::Scheduler::WithCallbackMethod_DeleteHost<
              AllMethods<::scheduler::v2::Scheduler>>>> {
 public:
  using Stream = std::shared_ptr<ServerStream<AnnounceResponse>>;
  std::function<std::shared_ptr<StreamHandler<AnnounceRequest>>(Stream)> open;
  std::function<void(const CallInfo&, const DeleteRequest&, UnaryReply<Empty>)> delete_host;
  std::function<::grpc::ServerUnaryReactor*(::grpc::CallbackServerContext*, const DeleteRequest*,
                                            Empty*)>
      delete_host_raw;
  StreamOptions options;

  TestScheduler();
  ~TestScheduler() override;
  ::grpc::ServerBidiReactor<AnnounceRequest, AnnounceResponse>* AnnouncePeer(
      ::grpc::CallbackServerContext* context) override;
  ::grpc::ServerUnaryReactor* DeleteHost(::grpc::CallbackServerContext* context,
                                         const DeleteRequest* request, Empty* response) override;
};

class TestUpload final
    : public OnlyMarked<::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPieces<
          AllMethods<::dfdaemon::v2::DfdaemonUpload>>> {
 public:
  using Stream = std::shared_ptr<ServerStream<PiecesResponse>>;
  std::function<std::shared_ptr<StreamEvents>(Stream, PiecesRequest)> open;
  StreamOptions options;

  TestUpload();
  ~TestUpload() override;
  ::grpc::ServerWriteReactor<PiecesResponse>* SyncPieces(::grpc::CallbackServerContext* context,
                                                         const PiecesRequest* request) override;
};

class TestManager final : public OnlyMarked<::manager::v2::Manager::WithCallbackMethod_KeepAlive<
                              AllMethods<::manager::v2::Manager>>> {
 public:
  std::function<std::shared_ptr<StreamHandler<KeepAliveRequest>>(
      std::shared_ptr<ServerStream<Empty>>)>
      open;

  TestManager();
  ~TestManager() override;
  ::grpc::ServerReadReactor<KeepAliveRequest>* KeepAlive(::grpc::CallbackServerContext* context,
                                                         Empty* response) override;
};

class RpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/dragonfly_rpc_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  static net::Endpoint Loopback() {
    net::Endpoint endpoint;
    endpoint.ip = net::IpAddress::V4({127, 0, 0, 1});
    return endpoint;
  }

  void StartServer(ServerOptions options = ServerOptions()) {
    if (options.unix_socket.empty() && options.listen.empty()) options.listen = {Loopback()};
    auto server = Server::Start(options, {&scheduler_, &upload_, &manager_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    const std::string target = options.unix_socket.empty() ? server_->endpoints()[0].ToString()
                                                           : "unix:" + options.unix_socket;
    channel_ = MakeChannel(target, ChannelOptions());
    scheduler_stub_ = ::scheduler::v2::Scheduler::NewStub(channel_);
    upload_stub_ = ::dfdaemon::v2::DfdaemonUpload::NewStub(channel_);
    manager_stub_ = ::manager::v2::Manager::NewStub(channel_);
  }

  async::Executor executor() const { return runtime_.executor(0); }
  void Run(std::function<async::Co<void>()> body) { async::RunToEnd(executor(), std::move(body)); }

  std::unique_ptr<ClientBidi<AnnounceRequest, AnnounceResponse>> Announce(
      const CallOptions& options = CallOptions()) {
    return ClientBidi<AnnounceRequest, AnnounceResponse>::Start(
        executor(), options, [this](auto* context, auto* reactor) {
          scheduler_stub_->async()->AnnouncePeer(context, reactor);
        });
  }

  auto DeleteHost() {
    return [this](::grpc::ClientContext* context, const DeleteRequest* request, Empty* response,
                  std::function<void(::grpc::Status)> done) {
      scheduler_stub_->async()->DeleteHost(context, request, response, std::move(done));
    };
  }

  std::string directory_;
  async::Runtime runtime_{1, "rpc-test"};
  TestScheduler scheduler_;
  TestUpload upload_;
  TestManager manager_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<::scheduler::v2::Scheduler::Stub> scheduler_stub_;
  std::unique_ptr<::dfdaemon::v2::DfdaemonUpload::Stub> upload_stub_;
  std::unique_ptr<::manager::v2::Manager::Stub> manager_stub_;
};

}  // namespace dragonfly::common::rpc
