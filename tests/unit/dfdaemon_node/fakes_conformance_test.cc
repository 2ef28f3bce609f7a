// The fakes that tests of dfdaemon/task rely on keep the promises of the interfaces.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/async/runtime.h"
#include "dfdaemon/node/testing/fake_parent_dialer.h"
#include "dfdaemon/node/testing/fake_scheduler_client.h"
#include "dfdaemon/node/testing/parent_dialer_conformance.h"
#include "dfdaemon/node/testing/scheduler_client_conformance.h"

namespace dragonfly::dfdaemon::node::testing {
namespace {

// The same words as FarSession::heard.
std::string InWords(const SessionCall& call) {
  if (std::holds_alternative<Started>(call)) return "started";
  if (std::holds_alternative<SourceStarted>(call)) return "source started";
  if (const auto* it = std::get_if<PieceFinished>(&call)) {
    return "piece " + std::to_string(it->piece.number);
  }
  if (const auto* it = std::get_if<PieceFailed>(&call)) {
    return "failed " + (it->number ? std::to_string(*it->number) + " of " : std::string()) +
           it->parent_id;
  }
  if (const auto* it = std::get_if<Reschedule>(&call)) {
    std::string text = "reschedule";
    for (const std::string& each : it->bad_parents) text += " " + each;
    return text;
  }
  if (const auto* it = std::get_if<SessionEnd>(&call)) {
    return !it->status.ok() ? "failed end" : it->from_source ? "source end" : "end";
  }
  return std::string();
}

class FakeSchedulerWorld : public SchedulerWorld {
 public:
  FakeSchedulerWorld() : client_(MakeScript()) {}

  SchedulerClient& client() override { return client_; }
  std::string download() override { return "anything"; }
  std::shared_ptr<FarSession> Session(size_t n) override {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kPatience, [&] { return far_.size() > n; });
    return came ? far_[n] : nullptr;
  }

 private:
  struct Far : FarSession {
    void Answer(SchedulerAnswer answer) override { handle->Answer(std::move(answer)); }
    Record& heard() override { return record; }

    FakeSchedulerClient::HandlePtr handle;
    Record record;
    std::atomic<bool> ended{false};
  };

  FakeSchedulerClient::Script MakeScript() {
    FakeSchedulerClient::Script script;
    script.on_open = [this](const FakeSchedulerClient::HandlePtr& handle) {
      const std::lock_guard lock(mutex_);
      auto far = std::make_shared<Far>();
      far->handle = handle;
      far->record.Add("register");
      far_.push_back(std::move(far));
      changed_.notify_all();
    };
    script.on_call = [this](const FakeSchedulerClient::HandlePtr& handle, const SessionCall& call) {
      auto far = Of(handle);
      if (far == nullptr) return;
      if (std::holds_alternative<SessionEnd>(call)) far->ended = true;
      if (!std::holds_alternative<SessionDestroyed>(call)) {
        far->record.Add(InWords(call));
      } else if (!far->ended) {
        far->record.Add("gone");
      }
    };
    return script;
  }
  std::shared_ptr<Far> Of(const FakeSchedulerClient::HandlePtr& handle) {
    const std::lock_guard lock(mutex_);
    for (const auto& each : far_) {
      if (each->handle == handle) return each;
    }
    return nullptr;
  }

  std::mutex mutex_;  // guards far_
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Far>> far_;
  FakeSchedulerClient client_;
};

class FakeParentWorld : public ParentWorld {
 public:
  FakeParentWorld()
      : dialer_([this](const FakeParentDialer::HandlePtr& handle) { Opened(handle); }) {}

  ParentDialer& dialer() override { return dialer_; }
  core::ParentInfo parent() override { return At(4000); }
  core::ParentInfo unreachable() override { return At(1); }
  std::string pieces_at() override { return "10.0.0.2:4005"; }
  std::shared_ptr<FarLink> Link(size_t n) override {
    const auto links = dialer_.links();
    return n < links.size() ? std::make_shared<Far>(links[n]) : nullptr;
  }

 private:
  struct Far : FarLink {
    explicit Far(FakeParentDialer::HandlePtr of) : handle(std::move(of)) {}
    common::id::TaskKey key() const override { return handle->key(); }
    std::vector<core::PieceNumber> interested() const override { return handle->interested(); }
    void Offer(core::PieceNumber number) override {
      core::ParentOffers offers;
      offers.peer_id = handle->parent().peer_id;
      offers.offers.push_back({number, uint64_t{number} * 100, 100});
      handle->Say(std::move(offers));
    }
    void Load(uint64_t max_tx_bandwidth, uint64_t tx_bandwidth) override {
      core::ParentLoad load;
      load.host_id = handle->parent().host_id;
      load.max_tx_bandwidth = max_tx_bandwidth;
      load.tx_bandwidth = tx_bandwidth;
      handle->Say(std::move(load));
    }
    void End(absl::Status status) override {
      core::ParentEnded ended;
      ended.peer_id = handle->parent().peer_id;
      ended.status = std::move(status);
      handle->Say(std::move(ended));
    }
    bool WaitUntilGone() override {
      const auto until = std::chrono::steady_clock::now() + kPatience;
      while (handle->open() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
      return !handle->open();
    }

    FakeParentDialer::HandlePtr handle;
  };

  static core::ParentInfo At(uint16_t port) {
    core::ParentInfo parent;
    parent.peer_id = "p1";
    parent.host_id = "h1";
    parent.ip = "10.0.0.2";
    parent.port = port;
    return parent;
  }
  static void Opened(const FakeParentDialer::HandlePtr& handle) {
    if (handle->parent().port == 1) Far(handle).End(absl::UnavailableError("nobody is there"));
  }

  FakeParentDialer dialer_;
};

SchedulerWorldCase FakeScheduler() {
  SchedulerWorldCase world;
  world.name = "fake";
  world.make = [](common::async::Runtime&) { return std::make_unique<FakeSchedulerWorld>(); };
  return world;
}
ParentWorldCase FakeParent() {
  ParentWorldCase world;
  world.name = "fake";
  world.make = [](common::async::Runtime&) { return std::make_unique<FakeParentWorld>(); };
  return world;
}

INSTANTIATE_TEST_SUITE_P(Fake, SchedulerClientConformance, ::testing::Values(FakeScheduler()),
                         SchedulerWorldName);
INSTANTIATE_TEST_SUITE_P(Fake, ParentDialerConformance,
                         ::testing::Combine(::testing::Values(FakeParent()),
                                            ::testing::ValuesIn(common::id::kAllTaskKinds)),
                         ParentWorldName);

}  // namespace
}  // namespace dragonfly::dfdaemon::node::testing
