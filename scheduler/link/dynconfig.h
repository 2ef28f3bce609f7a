#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/env.h"
#include "scheduler/link/settings.h"

namespace dragonfly::scheduler::link {

// The text of a dynconfig.yaml (docs/reference/scheduler.md, "dynconfig.yaml"). Errors name line,
// key, value and what would be right. `warnings` gets unknown keys; they are errors when `strict`.
absl::StatusOr<Snapshot> ParseDynconfig(std::string_view text, std::string_view name, bool strict,
                                        std::vector<std::string>* warnings);
// What a file that nobody has touched says.
std::string DefaultDynconfig();

// The settings of a scheduler without a manager: a file, created with the defaults when it is
// missing. AtStart is an error when it cannot be read or is wrong.
class DynconfigFile final : public SettingsSource {
 public:
  struct Options {
    std::string path;
    bool strict = false;
  };
  // `env` outlives it.
  DynconfigFile(common::os::Env& env, Options options);

  absl::StatusOr<Snapshot> AtStart() override;
  absl::StatusOr<std::optional<Snapshot>> Read() override;
  void Stop() override {}  // nothing to wait for
  std::string name() const override { return "dynconfig " + options_.path; }

 private:
  absl::Status CreateDefault();

  common::os::Env& env_;
  const Options options_;
  std::string last_text_;
  bool has_last_ = false;
};

}  // namespace dragonfly::scheduler::link
