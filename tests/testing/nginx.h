#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace dragonfly::tests::testing {

// A real nginx as an origin: a port of the kernel's choice on 127.0.0.1, a directory of its own,
// and an end by process id (it also ends with the test). What it serves:
//
//   /f/NAME        a file with ETag, Last-Modified, ranges
//   /noranges/NAME the same, Range ignored
//   /chunked/NAME  without Content-Length, ranges, ETag or Last-Modified
//   /slow/NAME     at 64 KiB/s
//   /gzip/NAME     claims Content-Encoding: gzip
//   /s/CODE        that status (CODE one of those in nginx.cc)
//   /to/NAME       302 to /f/NAME
//   /to?URL        302 to URL
//   /silent        the connection is closed without an answer
class Nginx {
 public:
  struct Options {
    std::string certificate_pem;  // with a key: https
    std::string key_pem;
  };
  Nginx();
  explicit Nginx(Options options);
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx();

  // Why it does not run; empty: it does.
  const std::string& error() const { return error_; }
  // "http://127.0.0.1:PORT" or "https://...".
  std::string url() const;
  uint16_t port() const { return port_; }
  // Writes or replaces a file; returns "/NAME".
  std::string Put(const std::string& name, const std::string& body);
  void Stop();

 private:
  bool Launch(const Options& options);

  std::string directory_;
  std::string error_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
  bool tls_ = false;
};

}  // namespace dragonfly::tests::testing
