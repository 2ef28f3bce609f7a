#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::common::limit {

// The limits of listeners, as the label `limit` names them. Defaults, keys and what a client sees
// of each: docs/reference/limits.md.
enum class Limit : uint8_t {
  kConnections,           // "connections": open ones of a listener
  kConnectionsPerSource,  // "connections_per_source": open ones of one address
  kConnectionRate,        // "connection_rate": new ones
  kHandshake,             // "handshake": TLS that took too long or came to nothing
  kDescriptors,           // "descriptors": of the process; accepting pauses
  kHead,                  // "head": line, size or number of the headers of an HTTP request
  kSlowRequest,           // "slow_request": a request that did not come in its time
  kBody,                  // "body": size of one body
  kBodies,                // "bodies": bytes of all bodies that are held at once
  kFrame,                 // "frame": a frame of the piece protocol that is too long or no frame
  kRate,                  // "rate": requests of one client, or of all
  kCalls,                 // "calls": unary calls at once
  kStreamsPerHost,        // "streams_per_host": AnnouncePeer streams of one host
  kStreamsPerTask,        // "streams_per_task": those of one host for one task
  kKeepAliveStreams,      // "keep_alive_streams"
  kIdle,                  // "idle": a stream that said nothing for too long
  kPool,                  // "pool": requests that wait for the database
  kPasswords,             // "passwords": passwords that are being checked
  kAttempts,              // "attempts": to sign in
  kAudits,                // "audits": not yet written
  kTime,                  // "time": of a request from its beginning to its answer
  kIdentity,              // "identity": the certificate does not cover who the caller says it is
  kShutdown,              // "shutdown"
};
inline constexpr size_t kLimitCount = static_cast<size_t>(Limit::kShutdown) + 1;
std::string_view NameOf(Limit limit);

// How everything that listens tells that a limit was reached: it counts
// `<prefix>_limit_exceeded_total{limit}`, and writes one line of the log per source and limit and
// minute. At most kMaxSources pairs are remembered: while more than that are new within a minute,
// the others are counted only, so that a crowd of sources cannot flood the log either.
//
// One for a process. Threading: any thread; counting takes no lock that a scrape holds.
class LimitReport {
 public:
  static constexpr size_t kMaxSources = 1024;

  struct Line {
    std::string_view limit;
    std::string_view listener;
    std::string_view source;
    uint64_t left_out = 0;  // lines of the same pair, since the last one
  };
  using Write = std::function<void(const Line&)>;

  // `prefix`: "dragonfly_scheduler". Both references must outlive it. `write` empty: to the log.
  LimitReport(telemetry::Registry& registry, const std::string& prefix, const os::Clock& clock,
              Write write = nullptr);
  LimitReport(const LimitReport&) = delete;
  LimitReport& operator=(const LimitReport&) = delete;

  // `listener`: "gRPC", "pieces"; `source`: an address, a user, the id of a host.
  void Exceeded(Limit limit, std::string_view listener, std::string_view source);
  double Count(Limit limit) const;

 private:
  struct Said {
    absl::Time at;
    uint64_t left_out = 0;
    std::list<uint64_t>::iterator place;
  };
  bool MaySay(uint64_t pair, absl::Time now, uint64_t& left_out);

  const os::Clock& clock_;
  const Write write_;
  std::array<telemetry::Counter*, kLimitCount> counters_{};
  std::mutex mutex_;  // guards what follows
  absl::flat_hash_map<uint64_t, Said> said_;
  std::list<uint64_t> order_;  // of said_, longest ago first
};

// For those to whom a report may or may not have been given.
inline void Tell(LimitReport* report, Limit limit, std::string_view listener,
                 std::string_view source) {
  if (report != nullptr) report->Exceeded(limit, listener, source);
}

}  // namespace dragonfly::common::limit
