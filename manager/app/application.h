#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/net/endpoint.h"
#include "manager/app/accounts.h"
#include "manager/app/config.h"

namespace dragonfly::manager::app {

// A running manager: database, REST and gRPC.
// Threading: one thread (main's).
class Application {
 public:
  // Everything is up when it returns. Errors name the key, address, file or server that is wrong.
  static absl::StatusOr<std::unique_ptr<Application>> Start(const Config& config,
                                                            const FirstAccounts& first);
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application();  // Shutdown without grace

  // Where REST is served.
  const common::net::Endpoint& rest_endpoint() const;
  bool rest_encrypted() const;
  // The password that was made for the user root, to be shown once; empty when none was.
  const std::string& root_password() const;

  // Refuses new calls, lets running ones end within `grace`, then ends everything.
  void Shutdown(absl::Duration grace);

 private:
  struct Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::manager::app
