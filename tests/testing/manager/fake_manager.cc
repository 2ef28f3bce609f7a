#include "tests/testing/manager/fake_manager.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/net/endpoint.h"
#include "common/rpc/reactor.h"
#include "common/rpc/served_methods.h"
#include "common/rpc/server.h"
#include "gtest/gtest.h"
#include "proto/manager_v2.grpc.pb.h"

namespace dragonfly::tests {
namespace {

namespace v2 = ::manager::v2;
namespace rpc = common::rpc;
using Empty = ::google::protobuf::Empty;

// The methods that links use.
using Methods = rpc::OnlyMarked<v2::Manager::WithCallbackMethod_UpdateScheduler<
    v2::Manager::WithCallbackMethod_GetScheduler<v2::Manager::WithCallbackMethod_ListSchedulers<
        v2::Manager::WithCallbackMethod_ListApplications<
            v2::Manager::WithCallbackMethod_KeepAlive<rpc::AllMethods<v2::Manager>>>>>>>;

}  // namespace

class FakeManager::Service final : public Methods {
 public:
  void Start(std::shared_ptr<common::crypto::TlsSource> tls) {
    if (reserved_ >= 0) close(reserved_);
    reserved_ = -1;
    rpc::ServerOptions options;
    options.listen = {common::net::Endpoint{common::net::IpAddress::V4({127, 0, 0, 1}), port_}};
    options.tls = std::move(tls);
    auto server = rpc::Server::Start(options, {this});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    port_ = server_->endpoints()[0].port;
  }

  void Stop() {
    if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
    server_ = nullptr;
    Forget();
  }

  void ReservePort() {
    reserved_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(reserved_, 0);
    const int yes = 1;
    ASSERT_EQ(setsockopt(reserved_, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(reserved_, generic, length), 0);
    ASSERT_EQ(getsockname(reserved_, generic, &length), 0);
    port_ = ntohs(address.sin_port);
  }

  ~Service() override {
    Stop();
    if (reserved_ >= 0) close(reserved_);
  }

  ::grpc::ServerUnaryReactor* UpdateScheduler(::grpc::CallbackServerContext* context,
                                              const v2::UpdateSchedulerRequest* request,
                                              Scheduler* response) override {
    return Answer<v2::UpdateSchedulerRequest, Scheduler>(
        context, request, response, "update",
        [this](const v2::UpdateSchedulerRequest& valid) -> absl::StatusOr<Scheduler> {
          last_update_ = valid;
          if (!answers_.update.ok()) return answers_.update;
          Scheduler scheduler;
          scheduler.set_hostname(valid.hostname());
          scheduler.set_scheduler_cluster_id(valid.scheduler_cluster_id());
          return scheduler;
        });
  }

  ::grpc::ServerUnaryReactor* GetScheduler(::grpc::CallbackServerContext* context,
                                           const v2::GetSchedulerRequest* request,
                                           Scheduler* response) override {
    return Answer<v2::GetSchedulerRequest, Scheduler>(
        context, request, response, "get",
        [this](const v2::GetSchedulerRequest& valid) -> absl::StatusOr<Scheduler> {
          if (!answers_.get.ok()) return answers_.get;
          Scheduler scheduler = answers_.scheduler;
          if (scheduler.scheduler_cluster_id() == 0) {
            scheduler.set_scheduler_cluster_id(valid.scheduler_cluster_id());
          }
          return scheduler;
        });
  }

  ::grpc::ServerUnaryReactor* ListApplications(::grpc::CallbackServerContext* context,
                                               const v2::ListApplicationsRequest* request,
                                               Applications* response) override {
    return Answer<v2::ListApplicationsRequest, Applications>(
        context, request, response, "applications",
        [this](const v2::ListApplicationsRequest&) -> absl::StatusOr<Applications> {
          if (!answers_.applications_status.ok()) return answers_.applications_status;
          return answers_.applications;
        });
  }

  ::grpc::ServerUnaryReactor* ListSchedulers(::grpc::CallbackServerContext* context,
                                             const ListRequest* request,
                                             ListResponse* response) override {
    return Answer<ListRequest, ListResponse>(
        context, request, response, "list", [this](const ListRequest& valid) {
          last_list_ = valid;
          return answers_.on_list ? answers_.on_list(valid) : ByClusters(valid);
        });
  }

  ::grpc::ServerReadReactor<v2::KeepAliveRequest>* KeepAlive(::grpc::CallbackServerContext* context,
                                                             Empty* /*response*/) override {
    return rpc::ServeReader<v2::KeepAliveRequest, Empty>(
        context, rpc::StreamOptions(), [this](std::shared_ptr<rpc::ServerStream<Empty>> stream) {
          return std::make_shared<AliveStream>(*this, std::move(stream));
        });
  }

  void Record(const std::string& event) {
    const std::lock_guard lock(mutex_);
    RecordLocked(event);
  }
  void RecordLocked(const std::string& event) {
    ++events_[event];
    changed_.notify_all();
  }

  // Calls that were never answered.
  void Forget() {
    std::vector<std::shared_ptr<void>> held;
    const std::lock_guard lock(mutex_);
    held.swap(held_);
  }

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  Answers answers_;
  std::map<std::string, int> events_;
  std::vector<std::shared_ptr<void>> held_;
  v2::UpdateSchedulerRequest last_update_;
  v2::KeepAliveRequest last_alive_;
  ListRequest last_list_;
  std::vector<std::chrono::steady_clock::time_point> alive_times_;
  uint16_t port_ = 0;

 private:
  class AliveStream final : public rpc::StreamHandler<v2::KeepAliveRequest> {
   public:
    AliveStream(Service& owner, std::shared_ptr<rpc::ServerStream<Empty>> stream)
        : owner_(owner), stream_(std::move(stream)) {}
    void OnMessage(v2::KeepAliveRequest message) override {
      stream_->Consumed(1);
      absl::Status status;
      {
        const std::lock_guard lock(owner_.mutex_);
        owner_.last_alive_ = std::move(message);
        owner_.alive_times_.push_back(std::chrono::steady_clock::now());
        owner_.RecordLocked("alive");
        if (first_) owner_.RecordLocked("stream");
        status = owner_.answers_.keep_alive;
      }
      first_ = false;
      if (!status.ok()) stream_->Finish(status);
    }
    void OnHalfClose() override {
      ended_ = true;
      owner_.Record("goodbye");
      stream_->Finish(absl::OkStatus());
    }
    void OnCancel() override {
      if (!ended_) owner_.Record("lost");
    }
    void OnDone() override { stream_ = nullptr; }

   private:
    Service& owner_;
    std::shared_ptr<rpc::ServerStream<Empty>> stream_;
    bool first_ = true;
    bool ended_ = false;
  };

  template <typename Req, typename Resp, typename Body>
  ::grpc::ServerUnaryReactor* Answer(::grpc::CallbackServerContext* context, const Req* request,
                                     Resp* response, const char* event, Body body) {
    return rpc::ServeUnary<Req, Resp>(
        context, request, response,
        [&](const rpc::CallInfo&, const Req& valid, rpc::UnaryReply<Resp> reply) {
          std::unique_lock lock(mutex_);
          absl::StatusOr<Resp> answer = body(valid);
          RecordLocked(event);
          if (answers_.hang) {
            held_.push_back(std::make_shared<rpc::UnaryReply<Resp>>(reply));
            return;
          }
          lock.unlock();
          reply.Send(std::move(answer));
        });
  }

  absl::StatusOr<ListResponse> ByClusters(const ListRequest& request) const {
    if (!answers_.list.ok()) return answers_.list;
    const uint64_t wanted = request.scheduler_cluster_id();
    ListResponse response;
    bool known = wanted == 0;
    for (const Answers::Cluster& cluster : answers_.clusters) {
      if (wanted != 0 ? cluster.id != wanted : !cluster.alive) continue;
      known = true;
      for (const std::string& address : cluster.schedulers) {
        const auto endpoint = common::net::Endpoint::Parse(address);
        Scheduler& scheduler = *response.add_schedulers();
        scheduler.set_ip(endpoint->ip.ToString());
        scheduler.set_port(endpoint->port);
        scheduler.set_hostname("scheduler");
        scheduler.set_state(cluster.alive ? "active" : "inactive");
        scheduler.set_scheduler_cluster_id(cluster.id);
        scheduler.mutable_scheduler_cluster()->set_id(cluster.id);
        scheduler.mutable_scheduler_cluster()->set_client_config(cluster.client_config);
        scheduler.mutable_scheduler_cluster()->set_seed_client_config(cluster.seed_client_config);
      }
    }
    if (!known) return absl::NotFoundError("scheduler cluster not found");
    return response;
  }

  std::unique_ptr<rpc::Server> server_;
  int reserved_ = -1;
};

FakeManager::FakeManager() : service_(std::make_unique<Service>()) {}
FakeManager::~FakeManager() = default;

void FakeManager::Start(std::shared_ptr<common::crypto::TlsSource> tls) {
  service_->Start(std::move(tls));
}
void FakeManager::Stop() { service_->Stop(); }
void FakeManager::ReservePort() { service_->ReservePort(); }
std::string FakeManager::address() const { return "127.0.0.1:" + std::to_string(service_->port_); }

void FakeManager::Edit(const std::function<void(Answers&)>& edit) {
  const std::lock_guard lock(service_->mutex_);
  edit(service_->answers_);
}

int FakeManager::Count(const std::string& event) const {
  const std::lock_guard lock(service_->mutex_);
  const auto found = service_->events_.find(event);
  return found == service_->events_.end() ? 0 : found->second;
}

bool FakeManager::WaitFor(const std::string& event, int count) const {
  std::unique_lock lock(service_->mutex_);
  return service_->changed_.wait_for(lock, std::chrono::seconds(30),
                                     [&] { return service_->events_[event] >= count; });
}

::manager::v2::UpdateSchedulerRequest FakeManager::last_update() const {
  const std::lock_guard lock(service_->mutex_);
  return service_->last_update_;
}
::manager::v2::KeepAliveRequest FakeManager::last_alive() const {
  const std::lock_guard lock(service_->mutex_);
  return service_->last_alive_;
}
FakeManager::ListRequest FakeManager::last_list() const {
  const std::lock_guard lock(service_->mutex_);
  return service_->last_list_;
}
std::vector<std::chrono::steady_clock::time_point> FakeManager::alive_times() const {
  const std::lock_guard lock(service_->mutex_);
  return service_->alive_times_;
}

}  // namespace dragonfly::tests
