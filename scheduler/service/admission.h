#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/limit/fair_rate.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "scheduler/core/host_table.h"

namespace dragonfly::scheduler::service {

// Who may ask now: the rate of requests, fairly among clients, and the number of AnnouncePeer
// streams of a host (docs/reference/limits.md).
//
// A client is the host that a message names, if that has announced itself; anybody else is the
// address he calls from, so that inventing hosts brings nothing. Whoever names another's host takes
// from that one's share; only certificates prevent that. Seed peers weigh kSeedWeight hosts: they
// work for all others.
//
// What is refused is RESOURCE_EXHAUSTED (kOverloaded), and told. Threading: any thread. Memory: a
// row for each of at most 4096 clients, and per host and task with open streams.
class Admission {
 public:
  static constexpr uint32_t kSeedWeight = 8;

  struct Options {
    double request_rate = 4000;  // unary calls and new streams a second: server.requestRateLimit
    size_t streams_per_host = 4096;
    size_t streams_per_task_and_host = 64;  // a swarm of any size may share a task
  };

  // The place of one stream; gives it back when it goes. The Admission must outlive it.
  class StreamPlace {
   public:
    StreamPlace(Admission& admission, uint64_t host, uint64_t task_and_host)
        : admission_(admission), host_(host), task_and_host_(task_and_host) {}
    StreamPlace(const StreamPlace&) = delete;
    StreamPlace& operator=(const StreamPlace&) = delete;
    ~StreamPlace() { admission_.Leave(host_, task_and_host_); }

   private:
    Admission& admission_;
    const uint64_t host_;
    const uint64_t task_and_host_;
  };

  // `limits` may be null; all must outlive it.
  Admission(const Options& options, const core::HostTable& hosts, const common::os::Clock& clock,
            common::limit::LimitReport* limits);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // A unary call; `host_id` empty if its request names none. `peer`: CallInfo::peer.
  absl::Status AdmitCall(std::string_view host_id, std::string_view peer);
  // A stream, when its first message says whose it is.
  absl::StatusOr<std::unique_ptr<StreamPlace>> AdmitStream(std::string_view host_id,
                                                           std::string_view task_id,
                                                           std::string_view peer);
  // Tells of a limit that others watch over.
  void Tell(common::limit::Limit limit, std::string_view peer) const;

 private:
  using Counts = absl::flat_hash_map<uint64_t, size_t>;
  struct Client;

  Client ClientOf(std::string_view host_id, std::string_view peer) const;
  bool AdmitRate(const Client& client);
  void Tell(common::limit::Limit limit, const Client& client) const;
  void Leave(uint64_t host, uint64_t task_and_host);

  const Options options_;
  const core::HostTable& hosts_;
  const common::os::Clock& clock_;
  common::limit::LimitReport* const limits_;
  common::limit::FairRate rate_;
  std::mutex mutex_;  // guards what follows: streams that are open, by hash
  Counts of_host_;
  Counts of_task_and_host_;
};

}  // namespace dragonfly::scheduler::service
