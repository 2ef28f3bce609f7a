#include "dfdaemon/node/scheduler_selector.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "dfdaemon/node/dynconfig.h"
#include "dfdaemon/node/health_check.h"

namespace dragonfly::dfdaemon::node {
namespace {

namespace log = common::log;
using common::async::CancelScope;
using common::async::Co;
using common::net::Endpoint;
using common::net::IpAddress;
using log::kv;

constexpr size_t kMaxSchedulers = 256;
constexpr absl::Duration kShortestPause = absl::Milliseconds(200);

// Blocks for as long as the resolver takes. As upstream: IPv4 where there is any, sorted, once
// each.
absl::StatusOr<std::vector<Endpoint>> LookUp(const Target& target) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(target.host.c_str(), nullptr, &hints, &raw);
  if (error != 0) {
    return common::status::MakeStatus(
        absl::StatusCode::kUnavailable, common::status::ErrorReason::kSchedulerUnavailable,
        absl::StrCat("name \"", target.host, "\": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(raw, &freeaddrinfo);
  std::vector<Endpoint> v4;
  std::vector<Endpoint> v6;
  for (const addrinfo* each = raw; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, each->ai_addr, sizeof(address));
      std::array<uint8_t, 4> octets{};
      std::memcpy(octets.data(), &address.sin_addr, octets.size());
      v4.push_back({IpAddress::V4(octets), target.port});
    } else if (each->ai_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, each->ai_addr, sizeof(address));
      std::array<uint8_t, 16> octets{};
      std::memcpy(octets.data(), &address.sin6_addr, octets.size());
      v6.push_back({IpAddress::V6(octets, address.sin6_scope_id), target.port});
    }
  }
  return v4.empty() ? v6 : v4;
}

std::string Names(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> names;
  for (const Endpoint& each : endpoints) names.push_back(each.ToString());
  return absl::StrJoin(names, ",");
}

}  // namespace

// A notification that comes while nobody waits must not be lost.
struct SchedulerSelector::Wake {
  explicit Wake(common::async::Executor executor) : signal(executor) {}
  void Up() {
    wanted = true;
    signal.NotifyAll();
  }
  bool wanted = false;
  common::async::Signal signal;
};

SchedulerSelector::SchedulerSelector(common::async::Executor executor,
                                     common::rpc::ChannelPool& channels,
                                     common::async::BlockingPool& pool, common::os::Env& env,
                                     SchedulerDirectory& directory, Options options)
    : executor_(executor),
      channels_(channels),
      pool_(pool),
      env_(env),
      directory_(directory),
      options_(options),
      backoff_(options.retry_interval, std::max(options.retry_interval, directory.longest_retry())),
      listing_(executor),
      wake_(std::make_shared<Wake>(executor)) {}

void SchedulerSelector::RefreshSoon() {
  common::async::Post(executor_, [wake = wake_] { wake->Up(); });
}

std::optional<Endpoint> SchedulerSelector::Pick(std::string_view task_id, uint32_t attempt) const {
  const std::lock_guard lock(mutex_);
  const auto order = ring_.Order(task_id);
  if (attempt >= order.size()) return std::nullopt;
  return order[attempt];
}

size_t SchedulerSelector::count() const {
  const std::lock_guard lock(mutex_);
  return ring_.size();
}

std::vector<Endpoint> SchedulerSelector::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::optional<uint64_t> SchedulerSelector::cluster() const {
  const std::lock_guard lock(mutex_);
  return cluster_;
}

std::shared_ptr<const BlockList> SchedulerSelector::block_list() const {
  const std::lock_guard lock(mutex_);
  return block_list_;
}

Co<void> SchedulerSelector::Run(CancelScope& scope) {
  auto remembered = co_await directory_.Recall(scope);
  if (remembered.has_value()) {
    choice_.Remember(remembered->cluster_id);
    list_ = std::move(remembered->list);
  }
  common::async::TaskGroup listing(executor_);
  listing.Spawn(KeepListing(scope));
  while (!scope.cancelled()) {
    wake_->wanted = false;
    if (list_.has_value()) {
      co_await Refresh(scope);
      if (scope.cancelled()) break;
      if (on_refreshed_) on_refreshed_();
    }
    absl::Status paused = co_await common::async::Sleep(scope, kShortestPause);
    if (!paused.ok()) break;
    const absl::Duration interval =
        any_healthy_ ? options_.refresh_interval : options_.retry_interval;
    CancelScope pause(scope, std::max(interval - kShortestPause, absl::ZeroDuration()));
    while (!wake_->wanted && !pause.cancelled()) {
      absl::Status woken = co_await wake_->signal.Wait(pause);
      (void)woken;  // either way it is time to look again
    }
  }
  co_await listing.Join();
}

Co<void> SchedulerSelector::KeepListing(CancelScope& scope) {
  while (!scope.cancelled()) {
    if (any_healthy_) backoff_.Reset();
    listing_wanted_ = false;
    auto list = co_await directory_.List(scope, choice_.chosen());
    if (scope.cancelled()) break;
    const bool answered = list.ok();
    if (answered) {
      TakeOver(*std::move(list));
    } else if (log::OncePerMinute("schedulers listed")) {
      log::Error("no list of schedulers; going on with what is known",
                 kv("from", directory_.name()), kv("error", list.status()));
    }
    co_await WaitForNextListing(scope, answered);
  }
}

Co<void> SchedulerSelector::WaitForNextListing(CancelScope& scope, bool answered) {
  if (answered) {
    // Not all nodes of a cluster at the same moment.
    const absl::Duration spread =
        options_.refresh_interval / 10 * (static_cast<double>(env_.Random() >> 11) * 0x1.0p-53);
    CancelScope interval(scope, options_.refresh_interval - spread);
    while (!listing_wanted_ && !interval.cancelled()) {
      absl::Status woken = co_await listing_.Wait(interval);
      (void)woken;  // either way it is looked at what is wanted
    }
    if (!listing_wanted_) co_return;
  }
  absl::Status slept = co_await common::async::Sleep(scope, backoff_.Next(env_.Random()));
  (void)slept;  // the caller looks at the scope
}

void SchedulerSelector::TakeOver(SchedulerList list) {
  if (list.cluster_is_gone) {
    log::Warning("the cluster of this node does not exist any more; choosing anew",
                 kv("from", directory_.name()), kv("cluster", choice_.chosen().value_or(0)));
    choice_.Forget();
  } else {
    KeepOurs(list);
  }
  list_ = std::move(list);
  fresh_ = true;
  wake_->Up();
}

// A directory that names none of our cluster believes them dead. They may know better, and their
// own answers decide: thousands of nodes must not run to the origin because a manager has heard
// nobody.
void SchedulerSelector::KeepOurs(SchedulerList& list) const {
  const std::optional<uint64_t> ours = choice_.chosen();
  if (!ours.has_value() || !list_.has_value()) return;
  const auto is_ours = [&ours](const SchedulerList::Entry& each) {
    return each.cluster_id == *ours;
  };
  if (std::any_of(list.entries.begin(), list.entries.end(), is_ours)) return;
  std::vector<SchedulerList::Entry> entries;
  std::copy_if(list_->entries.begin(), list_->entries.end(), std::back_inserter(entries), is_ours);
  entries.insert(entries.end(), list.entries.begin(), list.entries.end());
  list.entries = std::move(entries);
  const auto blocks = list_->block_lists.find(*ours);
  if (blocks != list_->block_lists.end()) list.block_lists.insert(*blocks);
}

Co<void> SchedulerSelector::Refresh(CancelScope& scope) {
  const bool fresh = std::exchange(fresh_, false);
  Candidates candidates;
  co_await Resolve(scope, list_->entries, &candidates);
  LeaveOutWorse(candidates);
  std::vector<absl::Status> results(candidates.size());
  co_await CheckAll(scope, candidates, &results);
  // Of a list that has been replaced meanwhile nothing is concluded: the next look is at once.
  if (scope.cancelled() || fresh_) co_return;
  std::vector<ClusterChoice::Candidate> looked_at;
  for (size_t i = 0; i < candidates.size(); ++i) {
    looked_at.push_back({candidates[i].cluster_id, results[i].ok()});
  }
  choice_.Look(looked_at, fresh);
  Publish(candidates, results);
  const std::optional<uint64_t> chosen = choice_.chosen();
  if (fresh && chosen.has_value()) co_await directory_.Remember(scope, *chosen);
}

// The addresses of a name, or the last ones that were known.
Co<void> SchedulerSelector::LookUpName(CancelScope& scope, std::string text,
                                       std::vector<Endpoint>* found) {
  auto target = ParseTarget(text);
  if (!target.ok()) co_return;  // the directory has said so
  if (const auto ip = IpAddress::Parse(target->host); ip.ok()) {
    found->push_back(Endpoint{*ip, target->port});
    co_return;
  }
  auto look_up = [wanted = *target] { return LookUp(wanted); };
  CancelScope bounded(scope, options_.check_timeout);
  auto endpoints = co_await common::async::RunBlocking(pool_, bounded, std::move(look_up));
  if (scope.cancelled()) co_return;
  if (endpoints.ok()) {
    resolved_[text] = *endpoints;
  } else if (log::OncePerMinute("scheduler name " + text)) {
    log::Warning("waiting for the name of a scheduler to resolve", kv("scheduler", text),
                 kv("error", endpoints.status()));
  }
  *found = resolved_[text];
}

// In the directory's order, each once.
Co<void> SchedulerSelector::Resolve(CancelScope& scope, std::vector<SchedulerList::Entry> entries,
                                    Candidates* found) {
  std::set<Endpoint> seen;
  for (const SchedulerList::Entry& entry : entries) {
    std::vector<Endpoint> endpoints;
    co_await LookUpName(scope, entry.target, &endpoints);
    if (scope.cancelled()) co_return;
    for (const Endpoint& endpoint : endpoints) {
      if (!seen.insert(endpoint).second) continue;
      found->push_back({endpoint, entry.cluster_id});
    }
    if (found->size() > kMaxSchedulers) break;
  }
  if (found->size() > kMaxSchedulers) found->resize(kMaxSchedulers);
}

// Of clusters behind ours nothing has to be known.
void SchedulerSelector::LeaveOutWorse(Candidates& candidates) const {
  const std::optional<uint64_t> ours = choice_.chosen();
  if (!ours.has_value()) return;
  bool ours_seen = false;
  std::erase_if(candidates, [&](const Candidate& each) {
    ours_seen = ours_seen || each.cluster_id == *ours;
    return ours_seen && each.cluster_id != *ours;
  });
}

namespace {

Co<void> CheckOne(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel,
                  absl::Duration timeout, absl::Status* result) {
  *result = co_await CheckHealth(scope, std::move(channel), timeout);
}

}  // namespace

Co<void> SchedulerSelector::CheckAll(CancelScope& scope, Candidates candidates,
                                     std::vector<absl::Status>* results) {
  common::async::TaskGroup checks(executor_);
  for (size_t i = 0; i < candidates.size(); ++i) {
    checks.Spawn(CheckOne(scope, channels_.Get(candidates[i].endpoint), options_.check_timeout,
                          &(*results)[i]));
  }
  co_await checks.Join();
}

void SchedulerSelector::Publish(const Candidates& candidates,
                                const std::vector<absl::Status>& results) {
  std::optional<uint64_t> ours = choice_.chosen();
  const bool one_cluster = std::all_of(
      candidates.begin(), candidates.end(),
      [&](const Candidate& each) { return each.cluster_id == candidates.front().cluster_id; });
  // Nothing else could be chosen.
  if (!ours.has_value() && one_cluster && !candidates.empty()) ours = candidates[0].cluster_id;
  std::vector<Endpoint> known;
  std::vector<Endpoint> healthy;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Endpoint& endpoint = candidates[i].endpoint;
    if (!results[i].ok() && log::OncePerMinute("scheduler health " + endpoint.ToString())) {
      log::Warning("waiting for a scheduler to serve", kv("scheduler", endpoint.ToString()),
                   kv("error", results[i]));
    }
    if (candidates[i].cluster_id != ours) continue;
    known.push_back(endpoint);
    if (results[i].ok()) healthy.push_back(endpoint);
  }
  std::sort(known.begin(), known.end());
  std::sort(healthy.begin(), healthy.end());
  if (candidates.empty() && log::OncePerMinute("no schedulers")) {
    log::Warning("no scheduler is known yet; downloads go to the origin until then",
                 kv("from", directory_.name()));
  }
  any_healthy_ = !healthy.empty();
  if (!any_healthy_) {
    listing_wanted_ = true;
    listing_.NotifyAll();
  }
  // Without a cluster the best one's list is the likeliest to be ours soon.
  const auto blocks =
      list_->block_lists.find(ours.value_or(candidates.empty() ? 0 : candidates[0].cluster_id));
  const std::lock_guard lock(mutex_);
  if (any_healthy_) {
    healthy_at_ = env_.clock().Now();
    lost_ = false;
  }
  if (blocks != list_->block_lists.end()) block_list_ = blocks->second;
  known_ = std::move(known);
  const bool moved = choice_.chosen().has_value() && cluster_ != choice_.chosen();
  cluster_ = choice_.chosen();
  // Without a healthy one the last good list stays: its schedulers may be back before the next
  // look.
  if (healthy.empty() || (healthy == healthy_ && !moved)) return;
  log::Info("schedulers", kv("healthy", Names(healthy)), kv("of", known_.size()),
            kv("cluster", cluster_.value_or(0)));
  healthy_ = std::move(healthy);
  ring_ = common::rpc::HashRing(healthy_);
}

absl::Duration SchedulerSelector::RecoveryLeft() const {
  const std::lock_guard lock(mutex_);
  if (healthy_.empty()) return absl::ZeroDuration();
  return std::max(absl::ZeroDuration(), lost_at_ + options_.recovery - env_.clock().Now());
}

void SchedulerSelector::NoteLost() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(lost_, true)) return;
  lost_at_ = env_.clock().Now();
}

Co<absl::Status> SchedulerSelector::AwaitHealthy(CancelScope& scope) {
  constexpr absl::Duration kLook = absl::Milliseconds(100);
  const absl::Time began = env_.clock().Now();
  while (true) {
    RefreshSoon();
    absl::Status slept = co_await common::async::Sleep(scope, kLook);
    if (!slept.ok()) co_return slept;
    const std::lock_guard lock(mutex_);
    if (healthy_at_ > began) co_return absl::OkStatus();
  }
}

}  // namespace dragonfly::dfdaemon::node
