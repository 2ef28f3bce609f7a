#include "scheduler/core/host_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::core {
namespace {

// How many hosts are looked at for one to make room, and how long it must have been idle.
constexpr int kHostsLookedAt = 64;
constexpr absl::Duration kEvictionIdle = absl::Minutes(1);
// Of an estimate, for anybody to act on it.
constexpr double kUplinkChange = 0.1;

absl::string_view Key(std::string_view id) { return absl::string_view(id.data(), id.size()); }

}  // namespace

Host::Host(HostFacts facts, absl::Time now)
    : id_(facts.id),
      facts_(std::make_shared<const HostFacts>(std::move(facts))),
      updated_nanos_(absl::ToUnixNanos(now)),
      announced_nanos_(absl::ToUnixNanos(now)) {
  EstimateUplink(*facts_);
}

std::shared_ptr<const HostFacts> Host::facts() const {
  std::lock_guard lock(mutex_);
  return facts_;
}

// What others than us send through the same link is not there for us; a tenth always is, so that a
// busy host stays somebody to fall back on.
void Host::EstimateUplink(const HostFacts& facts) {
  constexpr uint64_t kAlwaysThere = 10;
  constexpr int64_t kBits = 8;
  // Where the speed of an interface is not known, what is announced is the configured limit, 400
  // Gbit/s by default: a seed that promised that would be given the whole cluster for children.
  constexpr uint64_t kMostBelieved = 10'000'000'000;
  if (uplink_measured_.load(std::memory_order_relaxed) || facts.max_tx_bandwidth_bps == 0) return;
  const auto ours = static_cast<uint64_t>(std::max<int64_t>(0, uplink_.reserved())) * kBits;
  const uint64_t others = facts.tx_bandwidth_bps - std::min(facts.tx_bandwidth_bps, ours);
  const uint64_t most = std::min(facts.max_tx_bandwidth_bps, kMostBelieved);
  const uint64_t bps = std::max(most - std::min(others, most), most / kAlwaysThere);
  uplink_.SetEstimate(static_cast<int64_t>(bps / kBits));
}

void Host::SetMeasuredUplink(int64_t bytes_per_second) {
  uplink_measured_.store(true, std::memory_order_relaxed);
  uplink_.SetEstimate(bytes_per_second);
}

void Host::Update(HostFacts facts, absl::Time now) {
  EstimateUplink(facts);
  auto next = std::make_shared<const HostFacts>(std::move(facts));
  {
    std::lock_guard lock(mutex_);
    facts_.swap(next);
  }
  announced_nanos_.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  Touch(now);
}

void Host::Reserve(const HostCharge& charge) {
  tx_bandwidth_.fetch_add(charge.tx_bandwidth_bps, std::memory_order_relaxed);
  content_length_.fetch_add(charge.content_length, std::memory_order_relaxed);
  pieces_.fetch_add(charge.pieces, std::memory_order_relaxed);
  children_.fetch_add(1, std::memory_order_relaxed);
}

void Host::Release(const HostCharge& charge) {
  tx_bandwidth_.fetch_sub(charge.tx_bandwidth_bps, std::memory_order_relaxed);
  content_length_.fetch_sub(charge.content_length, std::memory_order_relaxed);
  pieces_.fetch_sub(charge.pieces, std::memory_order_relaxed);
  children_.fetch_sub(1, std::memory_order_relaxed);
}

HostLoad Host::load() const {
  constexpr uint64_t kBits = 8;
  HostLoad out{tx_bandwidth_.load(std::memory_order_relaxed),
               content_length_.load(std::memory_order_relaxed),
               pieces_.load(std::memory_order_relaxed), children_.load(std::memory_order_relaxed)};
  out.tx_bandwidth_bps += static_cast<uint64_t>(std::max<int64_t>(0, uplink_.reserved())) * kBits;
  out.children += static_cast<uint64_t>(std::max<int32_t>(0, uplink_.children()));
  return out;
}

absl::StatusOr<HostTable::Announced> HostTable::Announce(HostFacts facts, absl::Time now) {
  std::lock_guard lock(mutex_);
  Announced out;
  auto it = hosts_.find(facts.id);
  if (it != hosts_.end()) {
    const std::shared_ptr<const HostFacts> old = it->second->facts();
    out.host = it->second;
    out.placement_changed = old->type != facts.type || old->ip != facts.ip ||
                            old->port != facts.port || old->disable_shared != facts.disable_shared;
    const auto before = static_cast<double>(it->second->uplink().estimate());
    it->second->Update(std::move(facts), now);
    const auto after = static_cast<double>(it->second->uplink().estimate());
    out.uplink_changed = std::abs(after - before) > kUplinkChange * before;
    return out;
  }
  if (hosts_.size() >= max_hosts_ && !MakeRoom(now)) {
    return common::status::MakeStatus(
        absl::StatusCode::kResourceExhausted, common::status::ErrorReason::kOverloaded,
        absl::StrCat("host ", facts.id, ": the scheduler already knows ", max_hosts_,
                     " hosts; raise scheduler.maxHosts or add a scheduler"));
  }
  out.created = true;
  out.placement_changed = true;
  std::string id = facts.id;
  out.host = std::make_shared<Host>(std::move(facts), now);
  hosts_.emplace(std::move(id), out.host);
  return out;
}

bool HostTable::MakeRoom(absl::Time now) {
  auto victim = hosts_.end();
  int looked_at = 0;
  for (auto it = hosts_.begin(); it != hosts_.end() && looked_at < kHostsLookedAt;
       ++it, ++looked_at) {
    if (it->second->peers() != 0 || now - it->second->updated() < kEvictionIdle) continue;
    if (victim == hosts_.end() || it->second->updated() < victim->second->updated()) victim = it;
  }
  if (victim == hosts_.end()) return false;
  hosts_.erase(victim);
  return true;
}

std::shared_ptr<Host> HostTable::Find(std::string_view id) const {
  std::lock_guard lock(mutex_);
  auto it = hosts_.find(Key(id));
  return it == hosts_.end() ? nullptr : it->second;
}

std::shared_ptr<Host> HostTable::Remove(std::string_view id) {
  std::lock_guard lock(mutex_);
  auto it = hosts_.find(Key(id));
  if (it == hosts_.end()) return nullptr;
  std::shared_ptr<Host> host = std::move(it->second);
  hosts_.erase(it);
  return host;
}

std::vector<std::shared_ptr<Host>> HostTable::List(std::optional<HostType> type) const {
  std::vector<std::shared_ptr<Host>> out;
  std::lock_guard lock(mutex_);
  out.reserve(hosts_.size());
  for (const auto& [id, host] : hosts_) {
    if (!type.has_value() || host->facts()->type == *type) out.push_back(host);
  }
  return out;
}

std::vector<std::shared_ptr<Host>> HostTable::ExpireIdle(absl::Time now) {
  std::vector<std::shared_ptr<Host>> out;
  std::lock_guard lock(mutex_);
  for (auto it = hosts_.begin(); it != hosts_.end();) {
    const absl::Duration interval = it->second->facts()->announce_interval;
    if (interval > absl::ZeroDuration() && now - it->second->announced() > 2 * interval) {
      out.push_back(std::move(it->second));
      hosts_.erase(it++);
    } else {
      ++it;
    }
  }
  return out;
}

size_t HostTable::size() const {
  std::lock_guard lock(mutex_);
  return hosts_.size();
}

}  // namespace dragonfly::scheduler::core
