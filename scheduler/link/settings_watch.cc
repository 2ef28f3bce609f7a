#include "scheduler/link/settings_watch.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/log/log.h"
#include "common/manager/backoff.h"

namespace dragonfly::scheduler::link {

namespace log = common::log;

struct SettingsWatch::Impl {
  Impl(common::os::Env& the_env, std::unique_ptr<SettingsSource> the_source, Options the_options,
       std::function<void(Snapshot)> callback)
      : env(the_env),
        source(std::move(the_source)),
        options(the_options),
        on_change(std::move(callback)),
        backoff(options.first_retry, options.refresh_interval) {}

  void TakeOver(Snapshot fresh) {
    {
      const std::lock_guard lock(mutex);
      snapshot = fresh;
    }
    if (on_change) on_change(std::move(fresh));
  }

  // How long to wait before the next one.
  absl::Duration ReadOnce() {
    absl::StatusOr<std::optional<Snapshot>> read = source->Read();
    if (read.ok()) {
      backoff.Reset();
      if (read->has_value()) TakeOver(**std::move(read));
      return options.refresh_interval;
    }
    if (!Stopping() && log::OncePerMinute("settings " + source->name())) {
      log::Warning("settings of the cluster are not taken over; the last good ones stay in force",
                   log::kv("source", source->name()), log::kv("error", read.status()));
    }
    return backoff.Next(env.Random());
  }

  void Run() {
    absl::Duration pause = absl::ZeroDuration();
    while (WaitFor(pause)) pause = ReadOnce();
  }

  // False: time to end.
  bool WaitFor(absl::Duration pause) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return stopping || soon; });
    soon = false;
    return !stopping;
  }

  bool Stopping() {
    const std::lock_guard lock(mutex);
    return stopping;
  }

  common::os::Env& env;
  const std::unique_ptr<SettingsSource> source;
  const Options options;
  const std::function<void(Snapshot)> on_change;
  common::manager::Backoff backoff;  // of the thread
  mutable std::mutex mutex;          // guards what follows
  std::condition_variable wake;
  bool stopping = false;
  bool soon = false;
  Snapshot snapshot;
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<SettingsWatch>> SettingsWatch::Open(
    common::os::Env& env, std::unique_ptr<SettingsSource> source, Options options,
    std::function<void(Snapshot)> on_change) {
  auto impl = std::make_unique<Impl>(env, std::move(source), options, std::move(on_change));
  absl::StatusOr<Snapshot> first = impl->source->AtStart();
  if (!first.ok()) return first.status();
  impl->TakeOver(*std::move(first));
  Impl* running = impl.get();
  impl->thread = std::thread([running] { running->Run(); });
  return std::unique_ptr<SettingsWatch>(new SettingsWatch(std::move(impl)));
}

SettingsWatch::SettingsWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SettingsWatch::~SettingsWatch() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->source->Stop();
  impl_->thread.join();
}

Snapshot SettingsWatch::current() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

void SettingsWatch::RefreshSoon() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->soon = true;
  }
  impl_->wake.notify_all();
}

}  // namespace dragonfly::scheduler::link
