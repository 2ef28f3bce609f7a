#include "scheduler/service/admission.h"

#include <algorithm>
#include <string>

#include "absl/hash/hash.h"
#include "common/limit/source.h"
#include "common/rpc/peer.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::service {

using common::limit::Limit;
using common::limit::Source;

namespace {

constexpr size_t kMaxHostIdInLog = 128;

absl::Status TooMany(std::string_view message) {
  return common::status::MakeStatus(absl::StatusCode::kResourceExhausted,
                                    common::status::ErrorReason::kOverloaded, message);
}

}  // namespace

struct Admission::Client {
  uint64_t hash = 0;
  uint32_t weight = 1;
  std::string_view host_id;  // empty: `source`
  Source source;
};

Admission::Admission(const Options& options, const core::HostTable& hosts,
                     const common::os::Clock& clock, common::limit::LimitReport* limits)
    : options_(options),
      hosts_(hosts),
      clock_(clock),
      limits_(limits),
      // A rate of 0 would be no limit.
      rate_({std::max<uint64_t>(1, static_cast<uint64_t>(options.request_rate)), 0}) {}

Admission::Client Admission::ClientOf(std::string_view host_id, std::string_view peer) const {
  Client client;
  if (!host_id.empty()) {
    if (const std::shared_ptr<core::Host> host = hosts_.Find(host_id)) {
      client.host_id = host_id;
      client.hash = absl::HashOf(host_id);
      if (host->facts()->is_seed()) client.weight = kSeedWeight;
      return client;
    }
  }
  client.source = common::rpc::SourceOf(peer);
  client.hash = absl::HashOf(client.source);
  return client;
}

bool Admission::AdmitRate(const Client& client) {
  return rate_.Admit(client.hash, clock_.Now(), client.weight);
}

absl::Status Admission::AdmitCall(std::string_view host_id, std::string_view peer) {
  const Client client = ClientOf(host_id, peer);
  if (AdmitRate(client)) return absl::OkStatus();
  Tell(Limit::kRate, client);
  return TooMany("too many requests; the limit is server.requestRateLimit");
}

absl::StatusOr<std::unique_ptr<Admission::StreamPlace>> Admission::AdmitStream(
    std::string_view host_id, std::string_view task_id, std::string_view peer) {
  const Client client = ClientOf(host_id, peer);
  if (!AdmitRate(client)) {
    Tell(Limit::kRate, client);
    return TooMany("too many streams; the limit is server.requestRateLimit");
  }
  const uint64_t host = client.hash;
  const uint64_t task_and_host = absl::HashOf(client.hash, task_id);
  Limit refused_by = Limit::kStreamsPerHost;
  {
    const std::lock_guard lock(mutex_);
    size_t& of_host = of_host_[host];
    size_t& of_task = of_task_and_host_[task_and_host];
    if (of_task >= options_.streams_per_task_and_host) {
      refused_by = Limit::kStreamsPerTask;
    } else if (of_host < options_.streams_per_host) {
      ++of_host;
      ++of_task;
      return std::make_unique<StreamPlace>(*this, host, task_and_host);
    }
    if (of_host == 0) of_host_.erase(host);
    if (of_task == 0) of_task_and_host_.erase(task_and_host);
  }
  Tell(refused_by, client);
  if (refused_by == Limit::kStreamsPerTask) {
    return TooMany("this host has " + std::to_string(options_.streams_per_task_and_host) +
                   " AnnouncePeer streams for this task already; end one of them");
  }
  return TooMany("this host has " + std::to_string(options_.streams_per_host) +
                 " AnnouncePeer streams already; end one of them");
}

void Admission::Tell(Limit limit, std::string_view peer) const {
  common::limit::Tell(limits_, limit, common::rpc::kGrpcListener,
                      common::rpc::SourceOf(peer).ToString());
}

void Admission::Tell(Limit limit, const Client& client) const {
  const std::string source = client.host_id.empty()
                                 ? client.source.ToString()
                                 : std::string(client.host_id.substr(0, kMaxHostIdInLog));
  common::limit::Tell(limits_, limit, common::rpc::kGrpcListener, source);
}

void Admission::Leave(uint64_t host, uint64_t task_and_host) {
  const std::lock_guard lock(mutex_);
  const auto of_host = of_host_.find(host);
  if (--of_host->second == 0) of_host_.erase(of_host);
  const auto of_task = of_task_and_host_.find(task_and_host);
  if (--of_task->second == 0) of_task_and_host_.erase(of_task);
}

}  // namespace dragonfly::scheduler::service
