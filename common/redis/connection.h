#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/async/tcp.h"
#include "common/crypto/tls_stream.h"
#include "common/redis/reply.h"

namespace dragonfly::common::redis {

// A server by name or address.
struct HostPort {
  std::string host;  // a name or an IP literal, IPv6 without brackets
  uint16_t port = 0;
  std::string ToString() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};
// "redis:6379", "10.0.0.1:6379", "[fd00::1]:6379". INVALID_ARGUMENT says what is wrong.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// Who we are to a server. Secret.
struct Login {
  std::string username;  // empty: AUTH with the password alone, as before Redis 6
  std::string password;  // both empty: no AUTH
  int database = 0;
};

// One connection: a command after the other.
// Threading: belongs to the executor of the scope that it was opened in.
class Connection {
 public:
  struct Options {
    crypto::TlsClient* tls = nullptr;      // null: plaintext
    async::BlockingPool* names = nullptr;  // for looking names up; null: literals only
    size_t max_reply_bytes = size_t{64} << 20U;
  };

  // Connects, logs in and chooses the database. Errors name the server; UNAVAILABLE: it cannot be
  // reached, UNAUTHENTICATED: the login or the certificate.
  static async::Co<absl::StatusOr<std::unique_ptr<Connection>>> Open(async::CancelScope& scope,
                                                                     HostPort server, Login login,
                                                                     Options options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // An error reply is an error, with the server and the name of the command. After any other error,
  // and when the server cannot or will not serve us, the connection is of no use: broken().
  async::Co<absl::StatusOr<Reply>> Call(async::CancelScope& scope,
                                        std::vector<std::string> arguments);
  bool broken() const { return broken_; }
  // Whether the server has not closed it, as far as that can be seen without asking.
  bool LooksAlive();
  const HostPort& server() const { return server_; }

 private:
  Connection(HostPort server, std::unique_ptr<async::TcpStream> stream, size_t max_reply_bytes);
  async::Co<absl::StatusOr<Reply>> Exchange(async::CancelScope& scope, std::string command);

  const HostPort server_;
  const std::unique_ptr<async::TcpStream> stream_;
  ReplyReader reader_;
  bool broken_ = false;
};

}  // namespace dragonfly::common::redis
