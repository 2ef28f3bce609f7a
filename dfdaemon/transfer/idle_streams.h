#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/async/tcp.h"
#include "common/net/endpoint.h"

namespace dragonfly::dfdaemon::transfer {

// Connections that wait for their next piece: a few for each target, a bound for all, each for a
// while. The one used last is taken first, so that the others can age out.
//
// Threading: belongs to its executor, construction and destruction excepted when nothing runs
// there.
class IdleStreams {
 public:
  struct Options {
    size_t max_per_target = 8;
    size_t max_total = 256;
    absl::Duration idle_timeout = absl::Seconds(300);
  };
  IdleStreams(common::async::Executor executor, Options options);

  // A stream on which nothing has come since it was put here; null if there is none. Never a
  // plaintext one for an encrypted one.
  std::unique_ptr<common::async::TcpStream> Take(const common::net::Endpoint& target,
                                                 bool encrypted);
  // Closed instead when the target has enough; the oldest goes when there are too many.
  void Put(std::unique_ptr<common::async::TcpStream> stream);
  void Clear();
  size_t size() const { return streams_.size(); }

 private:
  struct Idle {
    std::unique_ptr<common::async::TcpStream> stream;
    absl::Time since;  // monotonic
  };
  void Sweep();
  void Arm();

  common::async::Executor executor_;
  const Options options_;
  std::list<Idle> streams_;  // newest first; a few hundred at most, so that a walk is cheap
  common::async::Timer timer_;
  bool armed_ = false;
};

}  // namespace dragonfly::dfdaemon::transfer
