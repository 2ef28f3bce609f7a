#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "scheduler/link/settings.h"

namespace dragonfly::scheduler::link {

// Reads a source again and again, on a thread of its own, and keeps the last good settings. After
// an error it tries again sooner than usual, with growing pauses; the reason is logged once a
// minute.
//
// Threading: any thread. `on_change` is called on the watch's thread, and from within Open.
class SettingsWatch {
 public:
  struct Options {
    absl::Duration refresh_interval = absl::Minutes(1);
    absl::Duration first_retry = absl::Seconds(1);
  };

  // Returns with settings in force (SettingsSource::AtStart) and the first Read under way. `env`
  // outlives the watch.
  static absl::StatusOr<std::unique_ptr<SettingsWatch>> Open(
      common::os::Env& env, std::unique_ptr<SettingsSource> source, Options options,
      std::function<void(Snapshot)> on_change);
  SettingsWatch(const SettingsWatch&) = delete;
  SettingsWatch& operator=(const SettingsWatch&) = delete;
  ~SettingsWatch();  // stops the source and waits for the thread

  Snapshot current() const;
  // There is reason to believe that Read would work, or say something new, now.
  void RefreshSoon();

 private:
  struct Impl;
  explicit SettingsWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::link
