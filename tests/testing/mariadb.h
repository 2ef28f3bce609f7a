#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace dragonfly::tests::testing {

// A real MariaDB server: a port of the kernel's choice on 127.0.0.1, a data directory of its own,
// and an end by process id (it also ends with the test). Run by root, the server is the package's
// user "mysql", as it refuses to be root. It has one user, "root" without a password, and no
// database; it loses what a crash of the machine would lose (nothing waits for a disk).
class MariaDb {
 public:
  struct Options {
    std::string certificate_pem;  // with a key: TLS is offered
    std::string key_pem;
  };
  MariaDb();
  explicit MariaDb(Options options);
  MariaDb(const MariaDb&) = delete;
  MariaDb& operator=(const MariaDb&) = delete;
  ~MariaDb();

  // Why it does not run; empty: it does.
  const std::string& error() const { return error_; }
  uint16_t port() const { return port_; }
  std::string socket() const { return directory_ + "/s"; }
  // Without a chance to say good-bye. The data stay.
  void Kill();
  // After Kill, at the same port. False: error() says why.
  bool Start();

 private:
  bool Install();
  bool WaitUntilItAnswers(const std::string& log);

  Options options_;
  std::string directory_;
  std::string error_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace dragonfly::tests::testing
