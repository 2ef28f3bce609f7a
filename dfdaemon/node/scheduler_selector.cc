#include "dfdaemon/node/scheduler_selector.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
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

struct SchedulerSelector::Wake {
  explicit Wake(common::async::Executor executor) : signal(executor) {}
  common::async::Signal signal;
};

SchedulerSelector::SchedulerSelector(common::async::Executor executor,
                                     common::rpc::ChannelPool& channels,
                                     common::async::BlockingPool& pool, Options options)
    : executor_(executor),
      channels_(channels),
      pool_(pool),
      options_(std::move(options)),
      wake_(std::make_shared<Wake>(executor)) {}

void SchedulerSelector::RefreshSoon() {
  common::async::Post(executor_, [wake = wake_] { wake->signal.NotifyAll(); });
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

Co<void> SchedulerSelector::Run(CancelScope& scope) {
  while (!scope.cancelled()) {
    co_await Refresh(scope);
    if (scope.cancelled()) break;
    if (on_refreshed_) on_refreshed_();
    absl::Status paused = co_await common::async::Sleep(scope, kShortestPause);
    if (!paused.ok()) break;
    const absl::Duration interval =
        any_healthy_ ? options_.refresh_interval : options_.retry_interval;
    CancelScope pause(scope, std::max(interval - kShortestPause, absl::ZeroDuration()));
    absl::Status woken = co_await wake_->signal.Wait(pause);
    (void)woken;  // either way it is time to look again
  }
}

Co<void> SchedulerSelector::Refresh(CancelScope& scope) {
  auto read = [path = options_.dynconfig_path] { return LoadDynconfig(path); };
  auto config = co_await common::async::RunBlocking(pool_, scope, std::move(read));
  if (scope.cancelled()) co_return;
  if (config.ok()) {
    targets_ = config->SchedulerTargets();
  } else if (log::OncePerMinute("dynconfig unreadable")) {
    log::Error("dynconfig cannot be used; going on with what is known",
               kv("path", options_.dynconfig_path), kv("error", config.status()));
  }
  std::vector<Endpoint> endpoints;
  co_await Resolve(scope, targets_, &endpoints);
  std::vector<absl::Status> results(endpoints.size());
  co_await CheckAll(scope, endpoints, &results);
  if (scope.cancelled()) co_return;
  Publish(std::move(endpoints), results);
}

Co<void> SchedulerSelector::Resolve(CancelScope& scope, std::vector<std::string> targets,
                                    std::vector<Endpoint>* found) {
  for (const std::string& text : targets) {
    auto target = ParseTarget(text);
    if (!target.ok()) continue;  // LoadDynconfig has said so
    if (const auto ip = IpAddress::Parse(target->host); ip.ok()) {
      found->push_back(Endpoint{*ip, target->port});
      continue;
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
    const std::vector<Endpoint>& last = resolved_[text];
    found->insert(found->end(), last.begin(), last.end());
  }
  std::sort(found->begin(), found->end());
  found->erase(std::unique(found->begin(), found->end()), found->end());
  if (found->size() > kMaxSchedulers) found->resize(kMaxSchedulers);
}

namespace {

Co<void> CheckOne(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel,
                  absl::Duration timeout, absl::Status* result) {
  *result = co_await CheckHealth(scope, std::move(channel), timeout);
}

}  // namespace

Co<void> SchedulerSelector::CheckAll(CancelScope& scope, std::vector<Endpoint> endpoints,
                                     std::vector<absl::Status>* results) {
  common::async::TaskGroup checks(executor_);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    checks.Spawn(
        CheckOne(scope, channels_.Get(endpoints[i]), options_.check_timeout, &(*results)[i]));
  }
  co_await checks.Join();
}

void SchedulerSelector::Publish(std::vector<Endpoint> known,
                                const std::vector<absl::Status>& results) {
  std::vector<Endpoint> healthy;
  for (size_t i = 0; i < known.size(); ++i) {
    if (results[i].ok()) {
      healthy.push_back(known[i]);
    } else if (log::OncePerMinute("scheduler health " + known[i].ToString())) {
      log::Warning("waiting for a scheduler to serve", kv("scheduler", known[i].ToString()),
                   kv("error", results[i]));
    }
  }
  if (known.empty() && log::OncePerMinute("no schedulers")) {
    log::Warning("no scheduler is known yet; downloads go to the origin until then",
                 kv("dynconfig", options_.dynconfig_path),
                 kv("waiting_for", absl::StrJoin(targets_, ",")));
  }
  any_healthy_ = !healthy.empty();
  const std::lock_guard lock(mutex_);
  known_ = std::move(known);
  // Without a healthy one the last good list stays: its schedulers may be back before the next
  // look.
  if (healthy.empty() || healthy == healthy_) return;
  log::Info("schedulers", kv("healthy", Names(healthy)), kv("of", known_.size()));
  healthy_ = std::move(healthy);
  ring_ = common::rpc::HashRing(healthy_);
}

}  // namespace dragonfly::dfdaemon::node
