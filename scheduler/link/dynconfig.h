#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "scheduler/core/config.h"

namespace dragonfly::scheduler::link {

using Snapshot = std::shared_ptr<const core::ClusterConfig>;

// The text of a dynconfig.yaml (docs/reference/scheduler.md, "dynconfig.yaml"). Errors name line,
// key, value and what would be right. `warnings` gets unknown keys; they are errors when `strict`.
absl::StatusOr<Snapshot> ParseDynconfig(std::string_view text, std::string_view name, bool strict,
                                        std::vector<std::string>* warnings);
// What a file that nobody has touched says.
std::string DefaultDynconfig();

// A dynconfig.yaml that is read again and again by a thread of its own.
// Threading: any thread; `on_change` is called on that thread.
class DynconfigFile {
 public:
  struct Options {
    std::string path;
    absl::Duration refresh_interval = absl::Minutes(1);
    bool strict = false;
  };

  // Creates the file when it is missing. An error when it cannot be read or is wrong: the scheduler
  // does not start with settings that nobody wrote.
  static absl::StatusOr<std::unique_ptr<DynconfigFile>> Open(
      common::os::Env& env, Options options, std::function<void(Snapshot)> on_change);
  DynconfigFile(const DynconfigFile&) = delete;
  DynconfigFile& operator=(const DynconfigFile&) = delete;
  ~DynconfigFile();

  Snapshot current() const;
  // What the thread does at each interval: OK when the file is as it was or was taken over.
  absl::Status Refresh();

 private:
  struct Impl;
  explicit DynconfigFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::link
