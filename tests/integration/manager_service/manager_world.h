#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/crypto/tls_source.h"
#include "common/rpc/server.h"
#include "common/telemetry/metrics.h"
#include "manager/cache/cluster_cache.h"
#include "manager/service/manager_service.h"
#include "manager/store/repository.h"
#include "manager/store/store.h"
#include "manager/store/testing/switched_dialect.h"
#include "proto/manager_v2.grpc.pb.h"

namespace dragonfly::manager::service {

namespace pb = ::manager::v2;
namespace models = store::models;

// True as soon as `holds` is; false when it is not within half a minute.
bool Eventually(const std::function<bool()>& holds);

// One manager as its main wires it, over a database that outlives it.
class TestManager {
 public:
  struct Options {
    ServiceOptions service;
    cache::ClusterCache::Options cache;
    std::shared_ptr<common::crypto::TlsSource> tls;
    common::trace::Tracer tracer = {};
    size_t pool_threads = 4;
    size_t pool_queue = 256;
  };
  // Liveness is written twenty times a second, readings follow one another; leases are as they are.
  static Options Quick();

  TestManager(std::shared_ptr<store::sql::Dialect> database, Options options);
  ~TestManager();  // End, unless it is dead

  // As on SIGTERM.
  void End(absl::Duration grace = absl::Seconds(5));
  // As after a crash: what it has not written is not written.
  void Crash();

  std::string address() const;
  std::shared_ptr<::grpc::Channel> Connect() const;  // a connection of its own
  pb::Manager::Stub& stub() { return *stub_; }
  store::Store& store() { return *store_; }
  cache::ClusterCache& cache() { return *cache_; }
  ManagerService& service() { return *service_; }
  store::testing::Switched::Switch& database() { return *switch_; }
  // Of the line that begins with `name` (labels included); 0: there is none.
  double Metric(const std::string& name) const;
  // How many lines of the page have `text`.
  size_t Lines(const std::string& text) const;

 private:
  const std::shared_ptr<store::testing::Switched::Switch> switch_;
  common::telemetry::Registry registry_;
  common::limit::LimitReport limits_{registry_, "dragonfly_manager",
                                     common::os::PosixEnv().clock()};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<common::async::Runtime> runtime_;
  std::unique_ptr<common::async::BlockingPool> pool_;
  std::unique_ptr<cache::ClusterCache> cache_;
  std::unique_ptr<ManagerService> service_;
  std::unique_ptr<common::rpc::Server> server_;
  std::unique_ptr<pb::Manager::Stub> stub_;
};

// A KeepAlive stream of a member.
class Heart {
 public:
  explicit Heart(const std::shared_ptr<::grpc::Channel>& channel);
  ~Heart();  // Cancel

  bool Beat(const pb::KeepAliveRequest& message) { return writer_->Write(message); }
  ::grpc::Status HalfClose();  // and how the call ended
  ::grpc::Status Ended();      // waits for the server's end
  void Cancel();               // as if the process had died

 private:
  std::unique_ptr<pb::Manager::Stub> stub_;
  ::grpc::ClientContext context_;
  google::protobuf::Empty answer_;
  std::unique_ptr<::grpc::ClientWriter<pb::KeepAliveRequest>> writer_;
  bool finished_ = false;
};

pb::UpdateSchedulerRequest SchedulerOf(const std::string& host_name, uint64_t cluster = 1,
                                       const std::string& ip = "10.0.0.1", int port = 8002);
pb::UpdateSeedPeerRequest SeedPeerOf(const std::string& host_name, uint64_t cluster = 1,
                                     const std::string& ip = "10.0.0.2", int port = 4000);
pb::KeepAliveRequest BeatOf(const pb::UpdateSchedulerRequest& scheduler);
pb::KeepAliveRequest BeatOf(const pb::UpdateSeedPeerRequest& seed_peer);
pb::ListSchedulersRequest SearchOf(const std::string& host_name, const std::string& ip = "10.1.0.1",
                                   uint64_t cluster = 0);

// A call of the stub: its answer, or the status as `error`.
template <typename Resp>
struct Answer {
  ::grpc::Status status;
  Resp value;
  bool ok() const { return status.ok(); }
};
template <typename Resp, typename Req>
Answer<Resp> Ask(pb::Manager::Stub& stub,
                 ::grpc::Status (pb::Manager::Stub::*method)(::grpc::ClientContext*, const Req&,
                                                             Resp*),
                 const std::type_identity_t<Req>& request) {
  Answer<Resp> answer;
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  answer.status = (stub.*method)(&context, request, &answer.value);
  return answer;
}

// What a node that asks is told: "host@cluster" of each scheduler, in the order of the answer.
std::vector<std::string> SchedulersFor(TestManager& manager, const pb::ListSchedulersRequest& who);

}  // namespace dragonfly::manager::service
