// The load on a manager: members that keep alive, and nodes that ask for schedulers; the half of
// the benchmark that must not be slow itself (run.py is the other one).
//
//   manager_load_probe TARGET MEMBERS CLUSTERS LISTS_PER_MINUTE SECONDS
//
// Prints "ready" when all streams are open, and a line of JSON at the end; then it waits for the
// end of its input with the streams open.

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "proto/manager_v2.grpc.pb.h"

namespace {

namespace pb = ::manager::v2;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr size_t kAskers = 16;
constexpr size_t kRegistering = 100;
constexpr size_t kMembersOfAScheduler = 50;
constexpr auto kBeat = std::chrono::seconds(5);

// A connection of its own: nodes do not share theirs.
std::shared_ptr<::grpc::Channel> Connect(const std::string& target) {
  ::grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return ::grpc::CreateCustomChannel(target, ::grpc::InsecureChannelCredentials(), arguments);
}

struct Identity {
  bool scheduler = false;
  std::string name;
  std::string ip;
  uint64_t cluster = 0;
};

Identity IdentityOf(size_t number, size_t clusters) {
  Identity out;
  out.scheduler = number % kMembersOfAScheduler == 0;
  out.name = (out.scheduler ? "scheduler-" : "seed-") + std::to_string(number);
  out.ip = "10." + std::to_string(number >> 16U & 255U) + "." +
           std::to_string(number >> 8U & 255U) + "." + std::to_string(number & 255U);
  out.cluster = number / kMembersOfAScheduler % clusters + 1;
  return out;
}

::grpc::Status Register(pb::Manager::Stub& stub, const Identity& member) {
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  if (member.scheduler) {
    pb::UpdateSchedulerRequest request;
    request.set_source_type(pb::SCHEDULER_SOURCE);
    request.set_hostname(member.name);
    request.set_ip(member.ip);
    request.set_port(8002);
    request.set_scheduler_cluster_id(member.cluster);
    pb::Scheduler response;
    return stub.UpdateScheduler(&context, request, &response);
  }
  pb::UpdateSeedPeerRequest request;
  request.set_source_type(pb::SEED_PEER_SOURCE);
  request.set_hostname(member.name);
  request.set_type("super");
  request.set_ip(member.ip);
  request.set_port(4000);
  request.set_download_port(4001);
  request.set_seed_peer_cluster_id(member.cluster);
  pb::SeedPeer response;
  return stub.UpdateSeedPeer(&context, request, &response);
}

// A member's stream. Beat from one thread; the end comes from gRPC.
class Member final : public ::grpc::ClientWriteReactor<pb::KeepAliveRequest> {
 public:
  Member(const std::string& target, const Identity& identity) : channel_(Connect(target)) {
    request_.set_source_type(identity.scheduler ? pb::SCHEDULER_SOURCE : pb::SEED_PEER_SOURCE);
    request_.set_hostname(identity.name);
    request_.set_ip(identity.ip);
    request_.set_cluster_id(identity.cluster);
    stub_ = pb::Manager::NewStub(channel_);
    stub_->async()->KeepAlive(&context_, &response_, this);
    AddHold();
    StartCall();
  }

  void Beat() {
    if (over_ || writing_.exchange(true)) return;
    StartWrite(&request_);
  }
  bool open() const { return written_ && !over_; }
  void End() {
    context_.TryCancel();
    RemoveHold();
  }
  bool ended() const { return done_; }

 private:
  void OnWriteDone(bool ok) override {
    if (ok) written_ = true;
    if (!ok) over_ = true;
    writing_ = false;
  }
  void OnDone(const ::grpc::Status& /*status*/) override {
    over_ = true;
    done_ = true;
  }

  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<pb::Manager::Stub> stub_;
  ::grpc::ClientContext context_;
  pb::KeepAliveRequest request_;
  ::google::protobuf::Empty response_;
  std::atomic<bool> writing_{false};
  std::atomic<bool> written_{false};
  std::atomic<bool> over_{false};
  std::atomic<bool> done_{false};
};

struct Asked {
  size_t failed = 0;
  size_t schedulers = 0;  // in all answers
  std::vector<double> took_ms;
};

// Asks at its share of the rate until `end`.
Asked Ask(const std::string& target, size_t asker, double per_second, Clock::time_point end) {
  Asked out;
  const auto stub = pb::Manager::NewStub(Connect(target));
  const auto pause =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / per_second));
  pb::ListSchedulersRequest request;
  request.set_source_type(pb::PEER_SOURCE);
  request.set_version("2.4.0");
  request.set_commit("0123456");
  size_t node = asker;
  for (Clock::time_point next = Clock::now() + pause * asker / kAskers; next < end; next += pause) {
    std::this_thread::sleep_until(next);
    node += kAskers;
    const Identity peer = IdentityOf(node, 1);
    request.set_hostname("peer-" + std::to_string(node));
    request.set_ip(peer.ip);
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    pb::ListSchedulersResponse response;
    const Clock::time_point began = Clock::now();
    const ::grpc::Status status = stub->ListSchedulers(&context, request, &response);
    out.took_ms.push_back(Milliseconds(Clock::now() - began).count());
    if (!status.ok()) ++out.failed;
    out.schedulers += static_cast<size_t>(response.schedulers_size());
  }
  return out;
}

// Many at once: each is answered when all who ask are told of it.
bool RegisterAll(const std::string& target, size_t members, size_t clusters) {
  std::atomic<size_t> next{0};
  std::atomic<bool> good{true};
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kRegistering; ++thread) {
    threads.emplace_back([&] {
      const auto stub = pb::Manager::NewStub(Connect(target));
      for (size_t i = next++; i < members && good; i = next++) {
        const ::grpc::Status status = Register(*stub, IdentityOf(i, clusters));
        if (status.ok()) continue;
        std::fprintf(stderr, "manager_load_probe: registering member %zu: %s\n", i,
                     status.error_message().c_str());
        good = false;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  return good;
}

size_t CountOpen(const std::vector<std::unique_ptr<Member>>& members) {
  return static_cast<size_t>(
      std::count_if(members.begin(), members.end(), [](const auto& each) { return each->open(); }));
}

bool OpenAll(const std::string& target, size_t clusters,
             std::vector<std::unique_ptr<Member>>& members) {
  for (size_t i = 0; i < members.size(); ++i) {
    members[i] = std::make_unique<Member>(target, IdentityOf(i, clusters));
    members[i]->Beat();
  }
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(60);
  while (CountOpen(members) < members.size()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// All of them once in kBeat, evenly.
void BeatUntil(std::vector<std::unique_ptr<Member>>& members, Clock::time_point end) {
  const auto pause = std::chrono::duration_cast<Clock::duration>(kBeat) / members.size();
  Clock::time_point next = Clock::now();
  while (next < end) {
    for (const auto& member : members) {
      next += pause;
      if (next >= end) return;
      if (next > Clock::now() + std::chrono::milliseconds(5)) std::this_thread::sleep_until(next);
      member->Beat();
    }
  }
}

nlohmann::json Summary(const std::vector<Asked>& asked, size_t open) {
  size_t failed = 0;
  size_t schedulers = 0;
  std::vector<double> took;
  for (const Asked& each : asked) {
    failed += each.failed;
    schedulers += each.schedulers;
    took.insert(took.end(), each.took_ms.begin(), each.took_ms.end());
  }
  std::sort(took.begin(), took.end());
  const auto at = [&took](double share) {
    const auto index = static_cast<size_t>(share * static_cast<double>(took.size()));
    return took.empty() ? 0.0 : took[std::min(took.size() - 1, index)];
  };
  nlohmann::json out;
  out["lists"] = took.size();
  out["lists_failed"] = failed;
  out["schedulers_named"] = schedulers;
  out["list_ms"] = {{"p50", at(0.5)}, {"p99", at(0.99)}, {"max", at(1)}};
  out["streams_open"] = open;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: manager_load_probe TARGET MEMBERS CLUSTERS LISTS_PER_MINUTE SECONDS\n");
    return 2;
  }
  const std::string target = argv[1];
  std::array<size_t, 4> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = std::strtoul(argv[i + 2], nullptr, 10);
    if (numbers[i] == 0) {
      std::fprintf(stderr, "manager_load_probe: '%s' is no number above 0\n", argv[i + 2]);
      return 2;
    }
  }
  const auto [count, clusters, per_minute, seconds] = numbers;
  if (!RegisterAll(target, count, clusters)) return 1;
  std::vector<std::unique_ptr<Member>> members(count);
  if (!OpenAll(target, clusters, members)) {
    std::fprintf(stderr, "manager_load_probe: %zu of %zu streams are open\n", CountOpen(members),
                 count);
    std::_Exit(1);  // nobody waits for the calls that are still being made
  }
  std::printf("ready\n");
  std::fflush(stdout);
  const Clock::time_point end = Clock::now() + std::chrono::seconds(seconds);
  std::vector<Asked> asked(kAskers);
  std::vector<std::thread> askers;
  for (size_t i = 0; i < kAskers; ++i) {
    askers.emplace_back([&, i, rate = static_cast<double>(per_minute) / 60 / kAskers] {
      asked[i] = Ask(target, i, rate, end);
    });
  }
  BeatUntil(members, end);
  for (std::thread& each : askers) each.join();
  std::printf("%s\n", Summary(asked, CountOpen(members)).dump().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {  // until the other half has looked at the manager
  }
  for (const auto& each : members) each->End();
  const Clock::time_point patience = Clock::now() + std::chrono::seconds(20);
  while (Clock::now() < patience && !std::all_of(members.begin(), members.end(),
                                                 [](const auto& each) { return each->ended(); })) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  // Thousands of channels take their time to go, and nobody looks.
  std::_Exit(0);
}
