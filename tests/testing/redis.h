#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dragonfly::tests::testing {

// A real redis-server: a free port of 127.0.0.1, a directory of its own, nothing on disk, and an
// end by process id (it also ends with the test).
class Redis {
 public:
  struct Options {
    std::string password;  // of everybody; empty: nobody is asked
    std::string username;  // with a password of its own; the default user is then off
    // With a certificate: TLS, and nothing else.
    std::string certificate_file;
    std::string key_file;
    std::vector<std::string> more;  // of the command line
  };
  Redis();
  explicit Redis(Options options);
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;
  ~Redis();

  // Why it does not run; empty: it does.
  const std::string& error() const { return error_; }
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Ends it at once; Start brings it back on the same port, empty.
  void Stop();
  bool Start();

 private:
  const Options options_;
  std::string directory_;
  std::string error_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

// A Sentinel that watches the server at `master` under the name "main".
class RedisSentinel {
 public:
  explicit RedisSentinel(const Redis& master);
  RedisSentinel(const RedisSentinel&) = delete;
  RedisSentinel& operator=(const RedisSentinel&) = delete;
  ~RedisSentinel();

  const std::string& error() const { return error_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  std::string directory_;
  std::string error_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace dragonfly::tests::testing
