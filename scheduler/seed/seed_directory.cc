#include "scheduler/seed/seed_directory.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <future>
#include <map>
#include <utility>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/rpc/reactor.h"

namespace dragonfly::scheduler::seed {
namespace {

using common::async::CancelScope;
using common::async::Co;
namespace log = common::log;

const std::string kCheck = "/grpc.health.v1.Health/Check";

// HealthCheckResponse{status = SERVING}; gRPC brings no generated code for it.
bool IsServing(const ::grpc::ByteBuffer& message) {
  std::vector<::grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const ::grpc::Slice& slice : slices) {
    for (const uint8_t byte : slice) bytes.push_back(static_cast<char>(byte));
  }
  return bytes == std::string("\x08\x01", 2);
}

Co<absl::Status> CheckHealth(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel,
                             absl::Duration timeout) {
  ::grpc::GenericStub stub(channel);
  common::rpc::CallOptions options;
  options.timeout = timeout;
  auto starter = [&stub](::grpc::ClientContext* context, const ::grpc::ByteBuffer* request,
                         ::grpc::ByteBuffer* response,
                         std::function<void(::grpc::Status)> on_done) {
    stub.UnaryCall(context, kCheck, ::grpc::StubOptions(), request, response, std::move(on_done));
  };
  const ::grpc::Slice nothing;
  ::grpc::ByteBuffer request(&nothing, 1);
  auto answer = co_await common::rpc::UnaryCall<::grpc::ByteBuffer>(scope, options,
                                                                    std::move(request), starter);
  if (!answer.ok()) co_return answer.status();
  if (!IsServing(*answer)) co_return absl::UnavailableError("not serving");
  co_return absl::OkStatus();
}

}  // namespace

struct SeedDirectory::Impl : std::enable_shared_from_this<Impl> {
  struct Seed {
    std::string address;
    bool healthy = true;
    bool checking = false;
  };

  Impl(common::async::Executor the_executor, const core::HostTable& the_hosts,
       common::rpc::ChannelPool& the_channels, const DialPolicy& the_policy, Options the_options,
       std::function<void(std::shared_ptr<const core::SeedRing>)> callback)
      : executor(the_executor),
        hosts(the_hosts),
        channels(the_channels),
        policy(the_policy),
        options(the_options),
        on_change(std::move(callback)),
        scope(executor),
        group(executor) {}

  // What the host table says now; health that is known stays known.
  void Reload() {
    if (scope.cancelled()) return;
    std::map<std::string, Seed> fresh;
    for (const std::shared_ptr<core::Host>& host : hosts.List(core::HostType::kSuperSeed)) {
      const std::shared_ptr<const core::HostFacts> facts = host->facts();
      absl::StatusOr<common::net::Endpoint> endpoint = policy.Admit(facts->ip, facts->port);
      if (!endpoint.ok()) {
        if (log::OncePerMinute("seed address " + facts->id)) {
          log::Warning("seed peer is not used", log::kv("host", facts->id),
                       log::kv("error", endpoint.status()));
        }
        continue;
      }
      Seed seed;
      seed.address = endpoint->ToString();
      auto known = seeds.find(facts->id);
      if (known != seeds.end() && known->second.address == seed.address) seed = known->second;
      fresh.emplace(facts->id, std::move(seed));
    }
    seeds = std::move(fresh);
    Publish();
  }

  void Publish() {
    std::vector<core::SeedRing::Member> members;
    std::string signature;
    for (const auto& [id, seed] : seeds) {
      if (!seed.healthy) continue;
      members.push_back(core::SeedRing::Member{id, seed.address});
      signature += id + "@" + seed.address + "\n";
    }
    if (signature == published) return;
    published = signature;
    log::Info("seed ring", log::kv("healthy", members.size()), log::kv("known", seeds.size()));
    on_change(std::make_shared<const core::SeedRing>(std::move(members)));
  }

  Co<void> CheckOne(std::string id, std::string address) {
    std::shared_ptr<::grpc::Channel> channel = channels.Get(address);
    absl::Status checked = co_await CheckHealth(scope, std::move(channel), options.check_timeout);
    --checks;
    auto seed = seeds.find(id);
    if (seed == seeds.end() || seed->second.address != address) co_return;
    seed->second.checking = false;
    if (scope.cancelled() || seed->second.healthy == checked.ok()) co_return;
    seed->second.healthy = checked.ok();
    log::Info(checked.ok() ? "seed peer is well again" : "seed peer is not well",
              log::kv("host", id), log::kv("address", address), log::kv("status", checked));
    Publish();
  }

  void StartCheck(const std::string& id) {
    auto seed = seeds.find(id);
    if (scope.cancelled() || seed == seeds.end() || seed->second.checking) return;
    if (checks >= options.checks_at_once) return;  // the next round has it
    ++checks;
    seed->second.checking = true;
    group.Spawn(CheckOne(id, seed->second.address));
  }

  Co<void> CheckAll() {
    while (!scope.cancelled()) {
      absl::Status slept = co_await common::async::Sleep(scope, options.check_interval);
      if (!slept.ok()) co_return;
      std::vector<std::string> ids;
      for (const auto& [id, seed] : seeds) ids.push_back(id);
      for (const std::string& id : ids) StartCheck(id);
      Reload();
    }
  }

  Co<void> End() {
    scope.Cancel(absl::CancelledError("shutting down"));
    co_await group.Join();
  }

  const common::async::Executor executor;
  const core::HostTable& hosts;
  common::rpc::ChannelPool& channels;
  const DialPolicy& policy;
  const Options options;
  const std::function<void(std::shared_ptr<const core::SeedRing>)> on_change;
  // Everything below belongs to the executor.
  CancelScope scope;
  common::async::TaskGroup group;
  std::map<std::string, Seed> seeds;
  std::string published;
  size_t checks = 0;
};

SeedDirectory::SeedDirectory(common::async::Executor executor, const core::HostTable& hosts,
                             common::rpc::ChannelPool& channels, const DialPolicy& policy,
                             Options options,
                             std::function<void(std::shared_ptr<const core::SeedRing>)> on_change)
    : impl_(std::make_shared<Impl>(executor, hosts, channels, policy, options,
                                   std::move(on_change))) {
  common::async::Post(executor, [impl = impl_] { impl->group.Spawn(impl->CheckAll()); });
}

SeedDirectory::~SeedDirectory() { Stop(); }

void SeedDirectory::Refresh(std::function<void()> done) {
  common::async::Post(impl_->executor, [impl = impl_, done = std::move(done)] {
    impl->Reload();
    if (done) done();
  });
}

void SeedDirectory::Distrust(const std::string& host_id) {
  common::async::Post(impl_->executor, [impl = impl_, host_id] { impl->StartCheck(host_id); });
}

void SeedDirectory::Stop() {
  if (impl_ == nullptr) return;
  common::async::RunToEnd(impl_->executor, [impl = impl_.get()] { return impl->End(); });
  impl_ = nullptr;
}

}  // namespace dragonfly::scheduler::seed
