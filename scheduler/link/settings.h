#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "scheduler/core/config.h"

namespace dragonfly::scheduler::link {

// The cluster's settings as they were at one moment. Never null where it is handed out.
using Snapshot = std::shared_ptr<const core::ClusterConfig>;

// Where the settings come from: a file (dynconfig.h) or a manager (manager_settings.h). What they
// share, reading again and again and keeping the last good ones, is SettingsWatch.
//
// Threading: AtStart and Read from one thread at a time; Stop from any.
class SettingsSource {
 public:
  virtual ~SettingsSource() = default;
  // What to begin with. Does not wait for anybody. An error: better not to start than with settings
  // that nobody wrote.
  virtual absl::StatusOr<Snapshot> AtStart() = 0;
  // What is in force now; nullopt: as at the last Read (or AtStart). An error changes nothing. May
  // block for as long as a call to the manager takes, not longer.
  virtual absl::StatusOr<std::optional<Snapshot>> Read() = 0;
  // Ends a Read that is running, and every later one, with an error.
  virtual void Stop() = 0;
  // For messages: "dynconfig.yaml /etc/dragonfly/dynconfig.yaml", "manager 10.0.0.1:65003".
  virtual std::string name() const = 0;
};

// What a value of the settings may be, whoever says so.
struct Bounds {
  uint32_t least;
  uint32_t most;
};
inline constexpr Bounds kCandidateParentLimit{1, 20};
inline constexpr Bounds kFilterParentLimit{10, 1000};
inline constexpr Bounds kJobRateLimit{0, 1'000'000};
inline constexpr Bounds kLoadLimit{1, 1'000'000};
inline constexpr size_t kMaxApplications = 10'000;

}  // namespace dragonfly::scheduler::link
