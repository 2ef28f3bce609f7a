#include "tests/integration/manager_service/manager_world.h"

#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "common/os/env.h"

namespace dragonfly::manager::service {

using store::testing::Switched;

bool Eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < until) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TestManager::Options TestManager::Quick() {
  Options options;
  options.service.liveness_write_interval = absl::Milliseconds(50);
  options.cache.min_pause = absl::Milliseconds(5);
  options.cache.retry = absl::Milliseconds(20);
  options.cache.refresh_age = absl::ZeroDuration();
  return options;
}

TestManager::TestManager(std::shared_ptr<store::sql::Dialect> database, Options options)
    : switch_(std::make_shared<Switched::Switch>()) {
  const common::os::Clock& clock = common::os::PosixEnv().clock();
  auto opened = store::Store::Open(std::make_unique<Switched>(std::move(database), switch_), {});
  EXPECT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
  runtime_ = std::make_unique<common::async::Runtime>(1, "manager");
  pool_ = std::make_unique<common::async::BlockingPool>(options.pool_threads, options.pool_queue);
  cache_ = std::make_unique<cache::ClusterCache>(runtime_->executor(0), *store_, *pool_, clock,
                                                 registry_, options.cache);
  service_ = std::make_unique<ManagerService>(
      ManagerService::Deps{*store_, *pool_, runtime_->executor(0), clock, registry_, *cache_,
                           limits_, options.tracer},
      options.service);
  common::rpc::ServerOptions server;
  server.listen = {{common::net::IpAddress::V4({127, 0, 0, 1}), 0}};
  server.tls = options.tls;
  server.report = &limits_;
  auto started = common::rpc::Server::Start(server, {service_->grpc_service()});
  EXPECT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
  if (options.tls == nullptr) stub_ = pb::Manager::NewStub(Connect());
}

TestManager::~TestManager() {
  if (server_ != nullptr) End(absl::ZeroDuration());
}

void TestManager::End(absl::Duration grace) {
  server_->SetServing(false);
  service_->EndStreams(grace);
  server_->Shutdown(absl::ZeroDuration());
  service_->Stop(grace);
  cache_->Stop();
  pool_ = nullptr;
  server_ = nullptr;
  service_ = nullptr;
  cache_ = nullptr;
  runtime_ = nullptr;
}

void TestManager::Crash() {
  switch_->away = true;
  End(absl::ZeroDuration());
}

std::string TestManager::address() const { return server_->endpoints()[0].ToString(); }

std::shared_ptr<::grpc::Channel> TestManager::Connect() const {
  ::grpc::ChannelArguments arguments;
  arguments.SetInt("grpc.use_local_subchannel_pool", 1);
  return ::grpc::CreateCustomChannel(address(), ::grpc::InsecureChannelCredentials(), arguments);
}

double TestManager::Metric(const std::string& name) const {
  const std::string page = registry_.Scrape();
  const size_t at = page.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size() + 2));
}

size_t TestManager::Lines(const std::string& text) const {
  std::istringstream page(registry_.Scrape());
  size_t count = 0;
  for (std::string line; std::getline(page, line);) count += line.find(text) != std::string::npos;
  return count;
}

Heart::Heart(const std::shared_ptr<::grpc::Channel>& channel)
    : stub_(pb::Manager::NewStub(channel)), writer_(stub_->KeepAlive(&context_, &answer_)) {}

Heart::~Heart() { Cancel(); }

::grpc::Status Heart::HalfClose() {
  writer_->WritesDone();
  return Ended();
}

::grpc::Status Heart::Ended() {
  finished_ = true;
  return writer_->Finish();
}

void Heart::Cancel() {
  if (finished_) return;
  context_.TryCancel();
  (void)Ended();
}

pb::UpdateSchedulerRequest SchedulerOf(const std::string& host_name, uint64_t cluster,
                                       const std::string& ip, int port) {
  pb::UpdateSchedulerRequest request;
  request.set_hostname(host_name);
  request.set_scheduler_cluster_id(cluster);
  request.set_ip(ip);
  request.set_port(port);
  return request;
}

pb::UpdateSeedPeerRequest SeedPeerOf(const std::string& host_name, uint64_t cluster,
                                     const std::string& ip, int port) {
  pb::UpdateSeedPeerRequest request;
  request.set_source_type(pb::SEED_PEER_SOURCE);
  request.set_hostname(host_name);
  request.set_type("super");
  request.set_seed_peer_cluster_id(cluster);
  request.set_ip(ip);
  request.set_port(port);
  request.set_download_port(port);
  return request;
}

pb::KeepAliveRequest BeatOf(const pb::UpdateSchedulerRequest& scheduler) {
  pb::KeepAliveRequest request;
  request.set_hostname(scheduler.hostname());
  request.set_ip(scheduler.ip());
  request.set_cluster_id(scheduler.scheduler_cluster_id());
  return request;
}

pb::KeepAliveRequest BeatOf(const pb::UpdateSeedPeerRequest& seed_peer) {
  pb::KeepAliveRequest request;
  request.set_source_type(pb::SEED_PEER_SOURCE);
  request.set_hostname(seed_peer.hostname());
  request.set_ip(seed_peer.ip());
  request.set_cluster_id(seed_peer.seed_peer_cluster_id());
  return request;
}

pb::ListSchedulersRequest SearchOf(const std::string& host_name, const std::string& ip,
                                   uint64_t cluster) {
  pb::ListSchedulersRequest request;
  request.set_source_type(pb::PEER_SOURCE);
  request.set_hostname(host_name);
  request.set_ip(ip);
  request.set_version("2.1.0");
  request.set_commit("abc");
  request.set_scheduler_cluster_id(cluster);
  return request;
}

std::vector<std::string> SchedulersFor(TestManager& manager, const pb::ListSchedulersRequest& who) {
  const auto answer = Ask(manager.stub(), &pb::Manager::Stub::ListSchedulers, who);
  EXPECT_TRUE(answer.ok()) << answer.status.error_message();
  std::vector<std::string> names;
  for (const pb::Scheduler& each : answer.value.schedulers()) {
    EXPECT_EQ(each.scheduler_cluster_id(), each.scheduler_cluster().id());
    names.push_back(each.hostname() + "@" + std::to_string(each.scheduler_cluster_id()));
  }
  return names;
}

}  // namespace dragonfly::manager::service
