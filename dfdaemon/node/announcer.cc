#include "dfdaemon/node/announcer.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/log/log.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "dfdaemon/node/health_check.h"
#include "proto/scheduler_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

namespace log = common::log;
using common::async::CancelScope;
using common::async::Co;
using common::net::Endpoint;
using common::rpc::ExtensionSet;
using log::kv;
using Empty = ::google::protobuf::Empty;

namespace {

constexpr absl::Duration kShortestAnnouncePause = absl::Milliseconds(100);

Co<void> SayGoodbye(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel,
                    std::string host_id, absl::Duration timeout) {
  auto stub = std::make_shared<::scheduler::v2::Scheduler::Stub>(channel);
  ::scheduler::v2::DeleteHostRequest request;
  request.set_host_id(host_id);
  common::rpc::CallOptions call;
  call.timeout = timeout;
  auto starter = [stub](::grpc::ClientContext* context,
                        const ::scheduler::v2::DeleteHostRequest* sent, Empty* answer,
                        std::function<void(::grpc::Status)> on_done) {
    stub->async()->DeleteHost(context, sent, answer, std::move(on_done));
  };
  auto answer =
      co_await common::rpc::UnaryCall<Empty>(scope, call, std::move(request), std::move(starter));
  if (!answer.ok())
    log::Info("a scheduler was not told of our leaving", kv("error", answer.status()));
}

}  // namespace

// Somebody on any executor who wants the next result.
struct Announcer::Waiter {
  explicit Waiter(common::async::Executor executor) : told(executor) {}
  common::async::Signal told;
  std::optional<absl::Status> status;  // of the waiter's executor
};

struct Announcer::Entry {
  Entry(CancelScope& parent, Endpoint at, std::shared_ptr<::grpc::Channel> by)
      : scheduler(std::move(at)), channel(std::move(by)), scope(parent) {}

  const Endpoint scheduler;
  const std::shared_ptr<::grpc::Channel> channel;
  // Of the executor.
  CancelScope scope;
  CancelScope* idle = nullptr;  // set while it waits for a reason to announce again
  bool poked = false;
  bool watchable = true;
  uint32_t failures = 0;
  // Under Announcer::mutex_.
  bool announced = false;
  ExtensionSet extensions;
  std::vector<std::pair<common::async::Executor, std::shared_ptr<Waiter>>> waiters;

  void Poke() {
    poked = true;
    if (idle != nullptr) idle->Cancel(absl::AbortedError("announce again"));
  }
};

Announcer::Announcer(common::async::Executor executor, common::rpc::ChannelPool& channels,
                     common::os::Env& env, FillHostFn fill, Options options)
    : executor_(executor),
      channels_(channels),
      env_(env),
      fill_(std::move(fill)),
      options_(std::move(options)) {}

Announcer::~Announcer() = default;

absl::Duration Announcer::Random(absl::Duration up_to) {
  return up_to * (static_cast<double>(env_.Random() >> 11) * 0x1.0p-53);
}

std::shared_ptr<Announcer::Entry> Announcer::Find(const Endpoint& scheduler) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(scheduler);
  return it == entries_.end() ? nullptr : it->second;
}

void Announcer::SetSchedulers(CancelScope& scope, common::async::TaskGroup& group,
                              const std::vector<Endpoint>& schedulers) {
  std::vector<std::shared_ptr<Entry>> gone;
  std::vector<std::shared_ptr<Entry>> fresh;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& each) {
      if (std::find(schedulers.begin(), schedulers.end(), each.first) != schedulers.end()) {
        return false;
      }
      gone.push_back(each.second);
      return true;
    });
    for (const Endpoint& each : schedulers) {
      if (entries_.contains(each)) continue;
      auto entry = std::make_shared<Entry>(scope, each, channels_.Get(each));
      entries_.emplace(each, entry);
      fresh.push_back(std::move(entry));
    }
  }
  for (const auto& entry : gone) {
    entry->scope.Cancel(absl::CancelledError("the scheduler is not one of ours any more"));
    bool knows_us = false;
    {
      const std::lock_guard lock(mutex_);
      knows_us = entry->announced;
    }
    // Until then it would name us as a parent to nodes of its cluster.
    if (knows_us) group.Spawn(TakeLeaveOf(entry, scope));
  }
  for (const auto& entry : fresh) group.Spawn(Keep(entry));
}

Co<void> Announcer::Keep(std::shared_ptr<Entry> entry) {
  while (!entry->scope.cancelled()) {
    entry->poked = false;
    absl::Status status = co_await AnnounceOnce(entry);
    if (entry->scope.cancelled()) break;
    Tell(*entry, status);
    if (status.ok()) {
      const absl::Time announced = env_.clock().Now();
      const bool went_away = co_await Idle(entry);
      // One that takes announcements while it ends would get them by the dozen.
      const bool steady = env_.clock().Now() - announced > options_.max_backoff;
      if (!went_away || steady) entry->failures = 0;
      if (!went_away) continue;
    } else if (log::OncePerMinute("announce " + entry->scheduler.ToString())) {
      log::Warning("this host cannot be announced yet; trying again",
                   kv("scheduler", entry->scheduler.ToString()), kv("error", status));
    }
    absl::Duration wait = options_.first_backoff;
    for (uint32_t i = 0; i < entry->failures && wait < options_.max_backoff; ++i) wait *= 2;
    entry->failures = std::min(entry->failures + 1, 32U);
    wait = std::min(wait, options_.max_backoff) / 2;
    co_await Pause(entry, wait + Random(wait));
  }
  Tell(*entry, entry->scope.status());
}

// Between two attempts. Who needs the scheduler now has the next one made at once.
Co<void> Announcer::Pause(std::shared_ptr<Entry> entry, absl::Duration length) {
  absl::Status slept = co_await common::async::Sleep(entry->scope, kShortestAnnouncePause);
  if (!slept.ok() || entry->poked) co_return;
  CancelScope pause(entry->scope, length);
  entry->idle = &pause;
  absl::Status woken = co_await common::async::Sleep(pause, length);
  (void)woken;  // Keep looks at the scope
  entry->idle = nullptr;
}

// Until the interval has passed, somebody says that the scheduler has forgotten us, or it goes
// away (true).
Co<bool> Announcer::Idle(std::shared_ptr<Entry> entry) {
  bool went_away = false;
  {
    CancelScope idle(entry->scope, options_.interval);
    entry->idle = &idle;
    if (entry->poked) idle.Cancel(absl::AbortedError("announce again"));
    if (entry->watchable) {
      absl::Status ended = co_await WatchHealth(idle, entry->channel);
      entry->watchable = !absl::IsUnimplemented(ended);
      if (entry->watchable && !idle.cancelled()) {
        went_away = true;
        log::Info("a scheduler went away", kv("scheduler", entry->scheduler.ToString()),
                  kv("error", ended));
        const std::lock_guard lock(mutex_);
        entry->announced = false;
      }
    }
    if (!entry->watchable && !idle.cancelled()) {
      absl::Status slept = co_await common::async::Sleep(idle, options_.interval);
      (void)slept;  // every end is a reason to announce
    }
    entry->idle = nullptr;
  }
  absl::Status spread = co_await common::async::Sleep(entry->scope, Random(options_.jitter));
  (void)spread;  // Keep looks at the scope
  co_return went_away;
}

Co<absl::Status> Announcer::AnnounceOnce(std::shared_ptr<Entry> entry) {
  using SchedulerStub = ::scheduler::v2::Scheduler::Stub;
  auto stub = std::make_shared<SchedulerStub>(entry->channel);
  ::scheduler::v2::AnnounceHostRequest request;
  fill_(*request.mutable_host());
  request.mutable_interval()->set_seconds(absl::ToInt64Seconds(options_.interval));
  common::rpc::CallOptions call;
  call.timeout = options_.call_timeout;
  call.extensions = options_.extensions;
  // Read on gRPC's thread before the answer is handed over.
  auto agreed = std::make_shared<ExtensionSet>();
  auto starter = [stub, agreed](::grpc::ClientContext* context,
                                const ::scheduler::v2::AnnounceHostRequest* sent, Empty* answer,
                                std::function<void(::grpc::Status)> on_done) {
    stub->async()->AnnounceHost(context, sent, answer,
                                [context, agreed, on_done](const ::grpc::Status& status) {
                                  if (status.ok())
                                    *agreed = common::rpc::AgreedExtensions(*context);
                                  on_done(status);
                                });
  };
  auto answer = co_await common::rpc::UnaryCall<Empty>(entry->scope, call, std::move(request),
                                                       std::move(starter));
  const std::lock_guard lock(mutex_);
  if (answer.ok()) entry->extensions = *agreed;
  const bool news = answer.ok() && !entry->announced;
  entry->announced = answer.ok();
  if (news) {
    log::Info("announced to a scheduler", kv("scheduler", entry->scheduler.ToString()),
              kv("extensions", entry->extensions.ToString()));
    options_.on_announced();
  }
  co_return answer.status();
}

void Announcer::Tell(Entry& entry, const absl::Status& status) {
  std::vector<std::pair<common::async::Executor, std::shared_ptr<Waiter>>> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters.swap(entry.waiters);
  }
  for (auto& [executor, waiter] : waiters) {
    common::async::Post(executor, [held = waiter, status] {
      held->status = status;
      held->told.NotifyAll();
    });
  }
}

void Announcer::AnnounceSoon(const Endpoint& scheduler) {
  auto entry = Find(scheduler);
  if (entry == nullptr) return;
  common::async::Post(executor_, [entry] { entry->Poke(); });
}

Co<absl::Status> Announcer::EnsureAnnounced(CancelScope& scope, Endpoint scheduler, bool again) {
  auto entry = Find(scheduler);
  if (entry == nullptr) co_return absl::OkStatus();
  auto waiter = std::make_shared<Waiter>(scope.executor());
  {
    const std::lock_guard lock(mutex_);
    if (entry->announced && !again) co_return absl::OkStatus();
    entry->waiters.emplace_back(scope.executor(), waiter);
  }
  common::async::Post(executor_, [entry] { entry->Poke(); });
  while (!waiter->status.has_value()) {
    absl::Status waited = co_await waiter->told.Wait(scope);
    if (!waited.ok()) co_return waited;
  }
  co_return *waiter->status;
}

ExtensionSet Announcer::ExtensionsOf(const Endpoint& scheduler) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(scheduler);
  return it == entries_.end() ? ExtensionSet() : it->second->extensions;
}

bool Announcer::Announced(const Endpoint& scheduler) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(scheduler);
  return it != entries_.end() && it->second->announced;
}

Co<void> Announcer::TakeLeaveOf(std::shared_ptr<Entry> entry, CancelScope& scope) {
  ::common::v2::Host host;
  fill_(host);
  co_await SayGoodbye(scope, entry->channel, host.id(), options_.leave_timeout);
}

Co<void> Announcer::Leave() {
  CancelScope scope(executor_, options_.leave_timeout);
  common::async::TaskGroup group(executor_);
  ::common::v2::Host host;
  fill_(host);
  std::vector<std::shared_ptr<::grpc::Channel>> channels;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [endpoint, entry] : entries_) {
      if (entry->announced) channels.push_back(entry->channel);
    }
  }
  for (auto& channel : channels) {
    group.Spawn(SayGoodbye(scope, channel, host.id(), options_.leave_timeout));
  }
  co_await group.Join();
}

}  // namespace dragonfly::dfdaemon::node
