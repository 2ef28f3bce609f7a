#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dfdaemon/app/config.h"

namespace dragonfly::dfdaemon::app {

// A running dfdaemon: builds everything in order, and takes it down in reverse.
//
// Threading: Start, Shutdown and the destructor from one thread, which is none of its own.
class Application {
 public:
  // Returns when all listeners are open. A scheduler need not be there: the log says what is
  // awaited. An error names what could not be opened and why.
  static absl::StatusOr<std::unique_ptr<Application>> Start(Config config,
                                                            std::string dynconfig_path);
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application();

  // Takes no more work, ends what runs with kShutdown, says goodbye to schedulers; within about
  // `limit`.
  void Shutdown(absl::Duration limit);

 private:
  struct Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::app
