#include "scheduler/shard/shard_runner.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace dragonfly::scheduler::shard {
namespace {

// Statistics walk over the tasks, so they are not made at every step.
constexpr absl::Duration kStatsInterval = absl::Seconds(1);
// How long the thread sleeps at most: a clock that was moved under us is noticed then.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

}  // namespace

struct ShardRunner::Impl {
  Impl(Options runner_options, const common::os::Clock& runner_clock,
       core::DecisionSink& runner_sink)
      : options(std::move(runner_options)),
        clock(runner_clock),
        sink(runner_sink),
        shard(options.shard) {}

  bool Put(core::Event event, bool always) {
    {
      std::lock_guard lock(mutex);
      if (stopping || (!always && mailbox.size() >= options.mailbox_capacity)) return false;
      mailbox.push_back(std::move(event));
    }
    arrived.notify_one();
    return true;
  }

  void Run() {
    std::vector<core::Event> batch;
    absl::Time stats_due = absl::InfinitePast();
    while (true) {
      {
        std::unique_lock lock(mutex);
        const absl::Duration sleep =
            std::clamp(shard.next_deadline() - clock.Now(), absl::ZeroDuration(), kLongestSleep);
        arrived.wait_for(lock, absl::ToChronoNanoseconds(sleep),
                         [this] { return stopping || !mailbox.empty(); });
        if (stopping) return;
        batch.swap(mailbox);
      }
      const absl::Time now = clock.Now();
      shard.step(batch, now, sink);
      if (options.on_stepped && !batch.empty()) options.on_stepped(batch);
      batch.clear();
      if (now >= stats_due) {
        const core::Shard::Stats fresh = shard.stats();
        stats_due = now + kStatsInterval;
        std::lock_guard lock(mutex);
        stats = fresh;
      }
    }
  }

  const Options options;
  const common::os::Clock& clock;
  core::DecisionSink& sink;
  core::Shard shard;  // belongs to the thread

  std::mutex mutex;  // guards what follows
  std::condition_variable arrived;
  std::vector<core::Event> mailbox;
  bool stopping = false;
  core::Shard::Stats stats;
  std::thread thread;
};

ShardRunner::ShardRunner(Options options, const common::os::Clock& clock, core::DecisionSink& sink)
    : impl_(std::make_unique<Impl>(std::move(options), clock, sink)) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  const std::string name = "shard-" + std::to_string(impl_->options.shard.shard);
  pthread_setname_np(impl_->thread.native_handle(), name.substr(0, 15).c_str());
}

ShardRunner::~ShardRunner() { Stop(); }

bool ShardRunner::Post(core::Event event) { return impl_->Put(std::move(event), false); }

void ShardRunner::PostAlways(core::Event event) { impl_->Put(std::move(event), true); }

core::Shard::Stats ShardRunner::stats() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

void ShardRunner::Stop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->arrived.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace dragonfly::scheduler::shard
