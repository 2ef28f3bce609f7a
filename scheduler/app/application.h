#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/net/endpoint.h"
#include "scheduler/app/config.h"

namespace dragonfly::scheduler::app {

// A running scheduler.
// Threading: one thread (main's).
class Application {
 public:
  // Everything is up when it returns. Errors name the key, address or file that is wrong.
  static absl::StatusOr<std::unique_ptr<Application>> Start(const Config& config,
                                                            const std::string& dynconfig_path,
                                                            bool strict);
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application();  // Shutdown without grace

  // Refuses new calls, lets running ones end within `grace`, then ends everything.
  void Shutdown(absl::Duration grace);

 private:
  struct Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::scheduler::app
