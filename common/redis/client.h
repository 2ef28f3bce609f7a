#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/crypto/tls_source.h"
#include "common/os/env.h"
#include "common/redis/connection.h"

namespace dragonfly::common::redis {

// Redis 5 and later, one server or the master that Sentinels name: commands over a bounded pool of
// connections, opened when they are needed.
//
// After a connection could not be opened the next attempt waits, each time longer, with jitter;
// calls in between fail at once with what it said. A command is sent once: when its connection
// breaks, nobody knows whether it was carried out, and the caller decides.
//
// Errors are UNAVAILABLE (nobody there, a broken connection, a server that is loading),
// UNAUTHENTICATED, DEADLINE_EXCEEDED (no answer, or no connection free in pool_timeout), or as
// StatusOfError; they name server, command and reason, and never arguments or passwords.
//
// Threading: belongs to its executor. Close must have been awaited before the destructor.
class Client {
 public:
  struct Options {
    // One server, or with `master_name` any number of Sentinels.
    std::vector<HostPort> addresses;
    std::string master_name;                 // empty: no Sentinel
    Login login;                             // to the server
    Login sentinel_login;                    // to the Sentinels; its database is not used
    std::shared_ptr<crypto::TlsSource> tls;  // null: plaintext; the Sentinels' too
    size_t pool_size = 20;
    absl::Duration pool_timeout = absl::Seconds(10);
    absl::Duration connect_timeout = absl::Seconds(5);
    absl::Duration call_timeout = absl::Seconds(10);
    absl::Duration first_pause = absl::Milliseconds(100);
    absl::Duration longest_pause = absl::Seconds(10);
    size_t max_reply_bytes = size_t{64} << 20U;
  };
  // INVALID_ARGUMENT: addresses, their number, the size of the pool.
  static absl::Status Check(const Options& options);

  // `env` must outlive the client.
  Client(async::Executor executor, os::Env& env, Options options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  async::Co<absl::StatusOr<Reply>> Call(async::CancelScope& scope,
                                        std::vector<std::string> arguments);
  // For commands that wait for something (BLPOP): so much longer than the call timeout.
  async::Co<absl::StatusOr<Reply>> CallBlocking(async::CancelScope& scope,
                                                std::vector<std::string> arguments,
                                                absl::Duration longer);
  size_t open_connections() const;

  // Ends every call that runs, and waits for it. Calls fail from then on.
  async::Co<void> Close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::redis
