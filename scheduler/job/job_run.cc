#include "scheduler/job/job_run.h"

#include <algorithm>
#include <utility>

#include "common/async/task_group.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::job {
namespace {

using common::async::Co;
using common::async::TaskGroup;
using common::status::ErrorReason;
using common::status::MakeStatus;

// Hosts that a job of theirs does not limit by itself.
constexpr uint32_t kDeletesAtOnce = 500;

absl::Status NoHost(const char* what) {
  return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound, what);
}

}  // namespace

size_t JobRun::AtOnce(uint32_t wanted, size_t there_are) const {
  const size_t most = std::min<size_t>(wanted, deps_.options.max_calls);
  return std::max<size_t>(1, std::min(most, there_are));
}

Co<absl::Status> JobRun::Run() {
  const Work& work = running_.job().work;
  if (std::holds_alternative<Preheat>(work)) {
    absl::Status preheated = co_await RunPreheat();
    co_return preheated;
  }
  hosts_ = HostsById(*deps_.cluster.hosts);
  running_.SetTargets(hosts_.size());
  if (const auto* find = std::get_if<FindTask>(&work)) {
    absl::Status found = co_await AskHosts(find->concurrent_hosts, &JobRun::FindOn);
    co_return found;
  }
  if (std::holds_alternative<DeleteTask>(work)) {
    absl::Status deleted = co_await AskHosts(kDeletesAtOnce, &JobRun::DeleteOn);
    co_return deleted;
  }
  TellHosts();
  co_return absl::OkStatus();
}

void JobRun::TellHosts() {
  for (const HostFactsPtr& host : hosts_) running_.Tell(ResultFor(*host));
}

// ---- preheat ----

absl::Status JobRun::PlanPreheat(const Preheat& preheat) {
  absl::StatusOr<std::vector<std::string>> ids = TaskIdsOf(preheat);
  if (!ids.ok()) return ids.status();
  task_ids_ = *std::move(ids);
  uint64_t targets = preheat.urls.size();
  if (preheat.scope == PreheatScope::kSingleSeedPeer) {
    ring_ = deps_.cluster.ring();
    if (ring_ == nullptr || ring_->empty()) {
      return NoHost("no seed peer is well; announce one, or preheat with scope all_peers");
    }
  } else {
    hosts_ = ChooseHosts(HostsById(*deps_.cluster.hosts), preheat);
    if (hosts_.empty()) {
      return NoHost(preheat.ips.empty() ? "no host is known that fits the scope of the preheat"
                                        : "no host of the scope has one of the addresses in ips");
    }
    targets *= hosts_.size();
  }
  running_.SetTargets(targets);
  return absl::OkStatus();
}

Co<absl::Status> JobRun::RunPreheat() {
  const Preheat& preheat = std::get<Preheat>(running_.job().work);
  absl::Status planned = PlanPreheat(preheat);
  if (!planned.ok()) co_return planned;
  const size_t workers = AtOnce(preheat.concurrent_tasks, preheat.urls.size());
  // So that a job has no more coroutines than could ever call.
  hosts_at_once_ = std::max<size_t>(1, std::min(AtOnce(preheat.concurrent_hosts, hosts_.size()),
                                                deps_.options.max_calls / workers));
  TaskGroup group(scope_.executor());
  for (size_t i = 0; i < workers; ++i) group.Spawn(PreheatWorker());
  co_await group.Join();
  co_return running_.Verdict();
}

Co<void> JobRun::PreheatWorker() {
  while (!scope_.cancelled() && next_url_ < task_ids_.size()) {
    const size_t url = next_url_++;
    if (ring_ != nullptr) {
      co_await PreheatOnSeed(url);
    } else {
      co_await PreheatOnHosts(url);
    }
  }
}

Co<void> JobRun::PreheatOnSeed(size_t url) {
  const Preheat& preheat = std::get<Preheat>(running_.job().work);
  std::vector<std::string> tried;
  TargetResult result;
  while (tried.size() < deps_.options.max_seeds_tried) {
    const core::SeedRing::Member* seed =
        ring_->Pick(task_ids_[url], [&tried](const core::SeedRing::Member& member) {
          return std::find(tried.begin(), tried.end(), member.host_id) == tried.end();
        });
    if (seed == nullptr) break;
    tried.push_back(seed->host_id);
    const std::shared_ptr<core::Host> host = deps_.cluster.hosts->Find(seed->host_id);
    if (host == nullptr) continue;  // left since the ring was made
    const HostFactsPtr facts = host->facts();
    absl::Status downloaded = co_await DownloadOn(facts, url);
    if (scope_.cancelled()) co_return;
    result = ResultFor(*facts);
    result.status = downloaded;
    result.finished = downloaded.ok();
    // Whatever the origin or the daemon said, another seed would hear as well.
    if (!absl::IsUnavailable(downloaded)) break;
  }
  if (result.host_id.empty()) result.status = NoHost("no seed peer of the ring is known any more");
  result.url = preheat.urls[url];
  result.task_id = task_ids_[url];
  running_.Tell(result);
}

Co<void> JobRun::PreheatOnHosts(size_t url) {
  size_t next_host = 0;
  TaskGroup group(scope_.executor());
  for (size_t i = 0; i < hosts_at_once_; ++i) group.Spawn(PreheatHostWorker(url, next_host));
  co_await group.Join();
}

Co<void> JobRun::PreheatHostWorker(size_t url, size_t& next_host) {
  const Preheat& preheat = std::get<Preheat>(running_.job().work);
  while (!scope_.cancelled() && next_host < hosts_.size()) {
    // Every URL begins at another host, so that they do not all wait for the first.
    const HostFactsPtr host = hosts_[(url + next_host++) % hosts_.size()];
    absl::Status downloaded = co_await DownloadOn(host, url);
    if (scope_.cancelled()) co_return;
    TargetResult result = ResultFor(*host);
    result.url = preheat.urls[url];
    result.task_id = task_ids_[url];
    result.finished = downloaded.ok();
    result.status = std::move(downloaded);
    running_.Tell(result);
  }
}

Co<absl::Status> JobRun::DownloadOn(HostFactsPtr host, size_t url) {
  absl::StatusOr<DaemonAddress> address = deps_.cluster.admit(*host);
  if (!address.ok()) co_return address.status();
  absl::Status entered = co_await deps_.slots.Enter(scope_, host->id);
  if (!entered.ok()) co_return entered;
  DownloadOrder order;
  order.preheat = &std::get<Preheat>(running_.job().work);
  order.url = order.preheat->urls[url];
  order.timeout =
      std::max(running_.deadline() - deps_.cluster.clock->Now(), deps_.options.least_download_time);
  order.trace = running_.job().trace;
  absl::Status downloaded =
      co_await deps_.cluster.client->Download(scope_, *std::move(address), std::move(order));
  deps_.slots.Leave(host->id);
  co_return downloaded;
}

// ---- jobs that ask each host once ----

Co<absl::Status> JobRun::AskHosts(uint32_t at_once, AskHost ask) {
  size_t next_host = 0;
  TaskGroup group(scope_.executor());
  const size_t workers = AtOnce(at_once, hosts_.size());
  for (size_t i = 0; i < workers; ++i) group.Spawn(AskWorker(ask, next_host));
  co_await group.Join();
  co_return running_.Verdict();
}

Co<void> JobRun::AskWorker(AskHost ask, size_t& next_host) {
  while (!scope_.cancelled() && next_host < hosts_.size()) {
    const HostFactsPtr host = hosts_[next_host++];
    absl::Status entered = co_await deps_.slots.Enter(scope_, host->id);
    if (!entered.ok()) co_return;
    Co<void> asking = (this->*ask)(host);
    co_await std::move(asking);
    deps_.slots.Leave(host->id);
  }
}

Co<void> JobRun::FindOn(HostFactsPtr host) {
  TargetResult result = ResultFor(*host);
  result.task_id = std::get<FindTask>(running_.job().work).task_id;
  absl::StatusOr<DaemonAddress> address = deps_.cluster.admit(*host);
  if (address.ok()) {
    absl::StatusOr<LocalTask> task =
        co_await deps_.cluster.client->StatLocal(scope_, *address, result.task_id);
    if (scope_.cancelled()) co_return;
    if (absl::IsNotFound(task.status())) {
      running_.DropTarget();
      co_return;
    }
    result.status = task.status();
    if (task.ok()) {
      result.finished = task->finished;
      result.created_at = task->created;
      result.updated_at = task->updated;
    }
  } else {
    result.status = address.status();
  }
  running_.Tell(result);
}

Co<void> JobRun::DeleteOn(HostFactsPtr host) {
  TargetResult result = ResultFor(*host);
  result.task_id = std::get<DeleteTask>(running_.job().work).task_id;
  absl::StatusOr<DaemonAddress> address = deps_.cluster.admit(*host);
  if (address.ok()) {
    absl::StatusOr<LocalTask> task =
        co_await deps_.cluster.client->StatLocal(scope_, *address, result.task_id);
    if (scope_.cancelled()) co_return;
    result.status = task.status();
    // Daemons before v2.4 can't be asked, but can be told.
    if (task.ok() || absl::IsUnimplemented(task.status())) {
      absl::Status deleted =
          co_await deps_.cluster.client->Delete(scope_, *address, result.task_id);
      if (scope_.cancelled()) co_return;
      result.status = std::move(deleted);
    }
    if (absl::IsNotFound(result.status)) {
      running_.DropTarget();
      co_return;
    }
    if (result.status.ok() && deps_.cluster.on_deleted) {
      deps_.cluster.on_deleted(result.task_id, host->id);
    }
  } else {
    result.status = address.status();
  }
  running_.Tell(result);
}

}  // namespace dragonfly::scheduler::job
