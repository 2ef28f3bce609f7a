#include "dfdaemon/task/engine.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "common/async/task_group.h"
#include "common/status/reason.h"
#include "dfdaemon/storage/output.h"
#include "dfdaemon/task/download.h"

namespace dragonfly::dfdaemon::task {
namespace {

using common::async::Executor;
using common::id::TaskKey;
using common::status::ErrorReason;

// A request on its way to its Download, and what its caller holds.
struct Ticket {
  core::RequestId id = 0;
  DownloadRequest request;
  std::shared_ptr<Consumer> consumer;
};

// The downloads of one executor.
// Threading: belongs to it.
class Shelf {
 public:
  Shelf(const EngineDeps& deps, const EngineOptions& options, Executor executor)
      : deps_(deps),
        options_(options),
        executor_(executor),
        scope_(executor),
        group_(executor),
        stop_group_(executor) {}

  // An output is looked at before anything is fetched for it.
  void Check(Ticket ticket) {
    if (!ticket.request.output.has_value() || stopping_) {
      Attach(std::move(ticket));
      return;
    }
    const core::RequestId id = ticket.id;
    checking_.emplace(id, std::move(ticket));
    group_.Spawn(CheckOutput(id));
  }

  void Attach(Ticket ticket) {
    if (stopping_) {
      ticket.consumer->OnFinished(common::status::MakeStatus(
          absl::StatusCode::kUnavailable, ErrorReason::kShutdown, "this dfdaemon is stopping"));
      return;
    }
    Slot& slot = slots_[ticket.request.key];
    if (slot.download != nullptr && slot.download->ending()) {
      // The files of a download that is being put away are free again when it is gone.
      slot.waiting.push_back(std::move(ticket));
      return;
    }
    if (slot.download == nullptr) Start(slot, ticket.request);
    const core::RequestId id = ticket.id;
    slot.download->Attach(id, std::move(ticket.request), std::move(ticket.consumer));
  }

  void Detach(const TaskKey& key, core::RequestId id) {
    if (checking_.erase(id) != 0) return;
    const auto found = slots_.find(key);
    if (found == slots_.end()) return;
    std::erase_if(found->second.waiting, [id](const Ticket& t) { return t.id == id; });
    if (found->second.download != nullptr) found->second.download->Detach(id);
  }

  void Cancel(const TaskKey& key, core::RequestId id, absl::Status reason) {
    if (const auto checking = checking_.find(id); checking != checking_.end()) {
      checking->second.consumer->OnFinished(reason);
      checking_.erase(checking);
      return;
    }
    const auto found = slots_.find(key);
    if (found == slots_.end()) return;
    for (Ticket& ticket : found->second.waiting) {
      if (ticket.id == id) ticket.consumer->OnFinished(reason);
    }
    std::erase_if(found->second.waiting, [id](const Ticket& t) { return t.id == id; });
    if (found->second.download != nullptr)
      found->second.download->CancelRequest(id, std::move(reason));
  }

  void Resume(const TaskKey& key, core::RequestId id) {
    const auto found = slots_.find(key);
    if (found != slots_.end() && found->second.download != nullptr)
      found->second.download->Resume(id);
  }

  void Stop(std::function<void()> on_stopped) {
    stopping_ = true;
    scope_.Cancel(common::status::MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                                             "this dfdaemon is stopping"));
    for (auto& [key, slot] : slots_) {
      if (slot.download != nullptr) slot.download->Shutdown();
    }
    stop_group_.Spawn(JoinThen(std::move(on_stopped)));
  }

 private:
  struct Slot {
    std::unique_ptr<Download> download;
    std::vector<Ticket> waiting;
  };

  void Start(Slot& slot, const DownloadRequest& first) {
    absl::StatusOr<std::shared_ptr<storage::TaskFile>> stored = deps_.store->Find(first.key);
    slot.download = std::make_unique<Download>(
        deps_, options_, executor_, first, stored.ok() ? std::move(*stored) : nullptr,
        [this, key = first.key] { group_.Spawn(PutAway(key)); });
  }

  common::async::Co<void> JoinThen(std::function<void()> on_stopped) {
    co_await group_.Join();
    // In a turn of its own: this coroutine is gone by then.
    common::async::Post(executor_, std::move(on_stopped));
  }

  common::async::Co<void> CheckOutput(core::RequestId id) {
    auto job = [output = *checking_.at(id).request.output] { return storage::CheckOutput(output); };
    absl::Status status = co_await common::async::RunBlocking(*deps_.pool, scope_, std::move(job));
    const auto found = checking_.find(id);
    if (found == checking_.end()) co_return;
    Ticket ticket = std::move(found->second);
    checking_.erase(found);
    if (status.ok()) {
      Attach(std::move(ticket));
    } else {
      ticket.consumer->OnFinished(status);
    }
  }

  common::async::Co<void> PutAway(TaskKey key) {
    Slot& slot = slots_[key];
    co_await slot.download->PutAway();
    const auto found = slots_.find(key);
    std::vector<Ticket> waiting = std::move(found->second.waiting);
    slots_.erase(found);
    for (Ticket& ticket : waiting) Attach(std::move(ticket));
  }

  const EngineDeps& deps_;
  const EngineOptions& options_;
  Executor executor_;
  common::async::CancelScope scope_;
  common::async::TaskGroup group_;
  common::async::TaskGroup stop_group_;  // waits for group_
  std::map<core::RequestId, Ticket> checking_;
  std::map<TaskKey, Slot> slots_;  // stable: PutAway holds a reference across a suspension
  bool stopping_ = false;
};

class Handle : public DownloadHandle {
 public:
  // The shelf outlives every handle: the engine is destroyed after its callers.
  Handle(Shelf* shelf, Executor executor, TaskKey key, core::RequestId id)
      : shelf_(shelf), executor_(executor), key_(std::move(key)), id_(id) {}
  ~Handle() override {
    if (common::async::RunsHere(executor_)) {
      shelf_->Detach(key_, id_);
    } else {
      common::async::Post(executor_,
                          [shelf = shelf_, key = key_, id = id_] { shelf->Detach(key, id); });
    }
  }
  void Cancel(absl::Status reason) override {
    common::async::Post(executor_,
                        [shelf = shelf_, key = key_, id = id_, reason = std::move(reason)] {
                          shelf->Cancel(key, id, reason);
                        });
  }
  void Resume() override {
    common::async::Post(executor_,
                        [shelf = shelf_, key = key_, id = id_] { shelf->Resume(key, id); });
  }

 private:
  Shelf* shelf_;
  Executor executor_;
  TaskKey key_;
  core::RequestId id_;
};

class Engine : public TaskEngine {
 public:
  Engine(EngineDeps deps, EngineOptions options) : deps_(deps), options_(std::move(options)) {
    for (size_t core = 0; core < deps_.runtime->cores(); ++core) {
      shelves_.push_back(std::make_unique<Shelf>(deps_, options_, deps_.runtime->executor(core)));
    }
  }

  std::unique_ptr<DownloadHandle> Download(DownloadRequest request,
                                           std::shared_ptr<Consumer> consumer) override {
    const size_t core = absl::HashOf(request.key) % shelves_.size();
    Shelf* shelf = shelves_[core].get();
    const Executor executor = deps_.runtime->executor(core);
    const core::RequestId id = next_request_.fetch_add(1, std::memory_order_relaxed) + 1;
    auto handle = std::make_unique<Handle>(shelf, executor, request.key, id);
    Ticket ticket{id, std::move(request), std::move(consumer)};
    auto shared = std::make_shared<Ticket>(std::move(ticket));  // std::function wants to be copied
    common::async::Post(executor, [shelf, shared] { shelf->Check(std::move(*shared)); });
    return handle;
  }

  void Shutdown(absl::Duration limit) override {
    std::vector<std::future<void>> stopped;
    for (size_t core = 0; core < shelves_.size(); ++core) {
      auto done = std::make_shared<std::promise<void>>();
      stopped.push_back(done->get_future());
      common::async::Post(deps_.runtime->executor(core), [shelf = shelves_[core].get(), done] {
        shelf->Stop([done] { done->set_value(); });
      });
    }
    const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(limit);
    for (std::future<void>& shelf : stopped) shelf.wait_until(until);
  }

 private:
  EngineDeps deps_;
  EngineOptions options_;
  std::vector<std::unique_ptr<Shelf>> shelves_;
  std::atomic<core::RequestId> next_request_{0};
};

}  // namespace

std::unique_ptr<TaskEngine> MakeTaskEngine(EngineDeps deps, EngineOptions options) {
  return std::make_unique<Engine>(deps, std::move(options));
}

}  // namespace dragonfly::dfdaemon::task
