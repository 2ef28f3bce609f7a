// The clients of gRPC keep the promises of their interfaces.

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/os/env.h"
#include "common/rpc/testing/loopback_server.h"
#include "dfdaemon/node/dynconfig_directory.h"
#include "dfdaemon/node/grpc_parent_dialer.h"
#include "dfdaemon/node/grpc_scheduler_client.h"
#include "dfdaemon/node/testing/parent_dialer_conformance.h"
#include "dfdaemon/node/testing/scheduler_client_conformance.h"
#include "tests/integration/node/parent_methods.h"
#include "tests/integration/node/test_scheduler.h"

namespace dragonfly::dfdaemon::node::testing {
namespace {

namespace wire = ::dfdaemon::v2;
using Request = TestScheduler::Request;
using Response = TestScheduler::Response;

// The same words as FarSession::heard.
std::string InWords(const Request& request) {
  switch (request.request_case()) {
    case Request::kRegisterPeerRequest:
      return "register";
    case Request::kDownloadPeerStartedRequest:
      return "started";
    case Request::kDownloadPeerBackToSourceStartedRequest:
      return "source started";
    case Request::kReschedulePeerRequest: {
      std::string text = "reschedule";
      for (const auto& each : request.reschedule_peer_request().candidate_parents()) {
        text += " " + each.id();
      }
      return text;
    }
    case Request::kDownloadPeerFinishedRequest:
      return "end";
    case Request::kDownloadPeerBackToSourceFinishedRequest:
      return "source end";
    case Request::kDownloadPeerFailedRequest:
    case Request::kDownloadPeerBackToSourceFailedRequest:
      return "failed end";
    case Request::kDownloadPieceFinishedRequest:
      return "piece " + std::to_string(request.download_piece_finished_request().piece().number());
    case Request::kDownloadPieceFailedRequest: {
      const auto& failed = request.download_piece_failed_request();
      return "failed " +
             (failed.has_piece_number() ? std::to_string(failed.piece_number()) + " of " : "") +
             failed.parent_id();
    }
    default:
      return request.ShortDebugString();
  }
}

Response InProto(const SchedulerAnswer& answer) {
  Response response;
  if (const auto* parents = std::get_if<core::AnswerParents>(&answer)) {
    for (const core::ParentInfo& each : parents->parents) {
      auto* peer = response.mutable_normal_task_response()->add_candidate_parents();
      peer->set_id(each.peer_id);
      peer->mutable_host()->set_id(each.host_id);
      peer->mutable_host()->set_ip(each.ip);
      peer->mutable_host()->set_port(each.port);
    }
  } else if (std::holds_alternative<core::AnswerSource>(answer)) {
    response.mutable_need_back_to_source_response();
  } else {
    response.mutable_empty_task_response();
  }
  return response;
}

class GrpcSchedulerWorld : public SchedulerWorld {
 public:
  explicit GrpcSchedulerWorld(common::async::Runtime& runtime) {
    std::string pattern = ::testing::TempDir() + "/conform-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    scheduler_.on_request = [this](const Request& request, const TestScheduler::Stream& stream) {
      Of(stream)->record.Add(InWords(request));
    };
    scheduler_.on_cancel = [this](const TestScheduler::Stream& stream) {
      Of(stream)->record.Add("gone");
    };
    scheduler_.Start();
    GrpcSchedulerClient::Options options;
    options.identity.host_id = "me";
    options.identity.hostname = "node";
    options.identity.ip = "127.0.0.1";
    DynconfigDirectory::Options dynconfig;
    dynconfig.path = directory_ + "/dynconfig.yaml";
    std::ofstream(dynconfig.path) << "scheduler:\n  addrs: [\"" << scheduler_.address() << "\"]\n";
    list_ = std::make_unique<DynconfigDirectory>(pool_, dynconfig);
    client_ = std::make_unique<GrpcSchedulerClient>(runtime, pool_, channels_,
                                                    common::os::PosixEnv(), info_, *list_, options);
    client_->Start();
    EXPECT_TRUE(scheduler_.WaitFor("announce"));
  }
  ~GrpcSchedulerWorld() override {
    client_ = nullptr;
    scheduler_.Stop();
    std::filesystem::remove_all(directory_);
  }

  SchedulerClient& client() override { return *client_; }
  std::string download() override {
    ::common::v2::Download download;
    download.set_url("http://origin/file");
    return download.SerializeAsString();
  }
  std::shared_ptr<FarSession> Session(size_t n) override {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kPatience, [&] { return far_.size() > n; });
    return came ? far_[n] : nullptr;
  }

 private:
  struct Far : FarSession {
    void Answer(SchedulerAnswer answer) override {
      if (const auto* ended = std::get_if<core::RegistrationEnded>(&answer)) {
        stream->Finish(ended->status);
      } else {
        stream->Write(InProto(answer)).IgnoreError();  // refused when the stream is over
      }
    }
    Record& heard() override { return record; }

    TestScheduler::Stream stream;
    Record record;
  };

  std::shared_ptr<Far> Of(const TestScheduler::Stream& stream) {
    const std::lock_guard lock(mutex_);
    for (const auto& each : far_) {
      if (each->stream == stream) return each;
    }
    auto far = std::make_shared<Far>();
    far->stream = stream;
    far_.push_back(far);
    changed_.notify_all();
    return far;
  }

  std::string directory_;
  std::mutex mutex_;  // guards far_
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Far>> far_;
  TestScheduler scheduler_;
  common::async::BlockingPool pool_{2, 64};
  common::rpc::ChannelPool channels_{common::os::PosixEnv().clock(), common::rpc::ChannelOptions()};
  SystemInfo info_{common::os::PosixEnv().clock(), SystemInfo::Options()};
  std::unique_ptr<DynconfigDirectory> list_;
  std::unique_ptr<GrpcSchedulerClient> client_;
};

// A parent that says what a test says.
class ToldParent final : public ParentOfAllKinds<ToldParent> {
 public:
  using HostStream = std::shared_ptr<common::rpc::ServerStream<::common::v2::Host>>;

  // One SyncPieces stream of any kind.
  struct Pieces : common::rpc::StreamEvents {
    void OnCancel() override { over.Add("cancelled"); }
    void OnDone() override { over.Add("done"); }

    common::id::TaskKey key;
    std::vector<core::PieceNumber> interested;
    std::function<void(core::PieceNumber)> offer;
    std::function<void(absl::Status)> finish;
    Record over;
  };

  template <typename Req, typename Resp>
  ::grpc::ServerWriteReactor<Resp>* Serve(common::id::TaskKind kind,
                                          ::grpc::CallbackServerContext* context,
                                          const Req* request) {
    return common::rpc::ServeWriter<Req, Resp>(
        context, request, common::rpc::StreamOptions(),
        [this, kind](std::shared_ptr<common::rpc::ServerStream<Resp>> stream, const Req& wanted) {
          auto pieces = std::make_shared<Pieces>();
          pieces->key.kind = kind;
          pieces->key.id = wanted.task_id();
          pieces->interested.assign(wanted.interested_piece_numbers().begin(),
                                    wanted.interested_piece_numbers().end());
          pieces->offer = [stream](core::PieceNumber number) {
            Resp response;
            response.set_number(number);
            response.set_offset(uint64_t{number} * 100);
            response.set_length(100);
            response.set_ip("127.0.0.1");
            response.set_tcp_port(4321);
            stream->Write(response).IgnoreError();  // refused when the stream is over
          };
          pieces->finish = [stream](absl::Status status) { stream->Finish(std::move(status)); };
          const std::lock_guard lock(mutex_);
          pieces_.push_back(pieces);
          changed_.notify_all();
          return pieces;
        });
  }
  ::grpc::ServerWriteReactor<::common::v2::Host>* SyncHost(
      ::grpc::CallbackServerContext* context, const wire::SyncHostRequest* request) override {
    return common::rpc::ServeWriter<wire::SyncHostRequest, ::common::v2::Host>(
        context, request, common::rpc::StreamOptions(),
        [this](HostStream stream, const wire::SyncHostRequest&) {
          const std::lock_guard lock(mutex_);
          hosts_.push_back(stream);
          changed_.notify_all();
          return std::make_shared<common::rpc::StreamEvents>();
        });
  }

  std::shared_ptr<Pieces> PiecesStream(size_t n) { return WaitFor(pieces_, n); }
  HostStream HostsStream(size_t n) { return WaitFor(hosts_, n); }

  void Start() { server_.Start(*this); }
  void Stop() { server_.Stop(); }
  ~ToldParent() override { Stop(); }
  uint16_t port() const { return server_.port(); }

 private:
  template <typename T>
  T WaitFor(const std::vector<T>& all, size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return all.size() > n; }) ? all[n] : nullptr;
  }

  std::mutex mutex_;  // guards pieces_ and hosts_
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Pieces>> pieces_;
  std::vector<HostStream> hosts_;
  common::rpc::testing::LoopbackServer server_;
};

class GrpcParentWorld : public ParentWorld {
 public:
  explicit GrpcParentWorld(common::async::Runtime& runtime) : policy_(Loopback()) {
    parent_.Start();
    ToldParent gone;
    gone.Start();
    closed_port_ = gone.port();
    GrpcParentDialer::Options options;
    options.identity.host_id = "me";
    options.identity.hostname = "node";
    options.identity.ip = "127.0.0.1";
    dialer_ = std::make_unique<GrpcParentDialer>(runtime, channels_, common::os::PosixEnv(),
                                                 policy_, options);
  }

  ParentDialer& dialer() override { return *dialer_; }
  core::ParentInfo parent() override { return At(parent_.port()); }
  core::ParentInfo unreachable() override { return At(closed_port_); }
  std::string pieces_at() override { return "127.0.0.1:4321"; }
  std::shared_ptr<FarLink> Link(size_t n) override {
    auto pieces = parent_.PiecesStream(n);
    return pieces ? std::make_shared<Far>(parent_, std::move(pieces), n) : nullptr;
  }

 private:
  struct Far : FarLink {
    Far(ToldParent& of, std::shared_ptr<ToldParent::Pieces> at, size_t n)
        : parent(of), pieces(std::move(at)), number(n) {}
    common::id::TaskKey key() const override { return pieces->key; }
    std::vector<core::PieceNumber> interested() const override { return pieces->interested; }
    void Offer(core::PieceNumber piece) override { pieces->offer(piece); }
    void Load(uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) override {
      ::common::v2::Host host;
      host.mutable_network()->set_max_tx_bandwidth(max_tx_bandwidth);
      host.mutable_network()->set_tx_bandwidth(tx_bandwidth);
      auto stream = parent.HostsStream(number);
      ASSERT_NE(stream, nullptr);
      stream->Write(host).IgnoreError();  // refused when the stream is over
    }
    void End(absl::Status status) override { pieces->finish(std::move(status)); }
    bool WaitUntilGone() override { return !pieces->over.WaitFor(1).empty(); }

    ToldParent& parent;
    std::shared_ptr<ToldParent::Pieces> pieces;
    size_t number;
  };

  static common::net::EgressPolicy::Options Loopback() {
    common::net::EgressPolicy::Options options;
    options.allow_loopback = true;
    return options;
  }
  static core::ParentInfo At(uint16_t port) {
    core::ParentInfo parent;
    parent.peer_id = "p1";
    parent.host_id = "h1";
    parent.ip = "127.0.0.1";
    parent.port = port;
    return parent;
  }

  ToldParent parent_;
  uint16_t closed_port_ = 0;
  common::net::EgressPolicy policy_;
  common::rpc::ChannelPool channels_{common::os::PosixEnv().clock(), common::rpc::ChannelOptions()};
  std::unique_ptr<GrpcParentDialer> dialer_;
};

SchedulerWorldCase GrpcScheduler() {
  SchedulerWorldCase world;
  world.name = "grpc";
  world.make = [](common::async::Runtime& runtime) {
    return std::make_unique<GrpcSchedulerWorld>(runtime);
  };
  return world;
}
ParentWorldCase GrpcParent() {
  ParentWorldCase world;
  world.name = "grpc";
  world.make = [](common::async::Runtime& runtime) {
    return std::make_unique<GrpcParentWorld>(runtime);
  };
  return world;
}

INSTANTIATE_TEST_SUITE_P(Grpc, SchedulerClientConformance, ::testing::Values(GrpcScheduler()),
                         SchedulerWorldName);
INSTANTIATE_TEST_SUITE_P(Grpc, ParentDialerConformance,
                         ::testing::Combine(::testing::Values(GrpcParent()),
                                            ::testing::ValuesIn(common::id::kAllTaskKinds)),
                         ParentWorldName);

}  // namespace
}  // namespace dragonfly::dfdaemon::node::testing
