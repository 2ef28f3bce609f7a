#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/tls_source.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::tests {

// A manager over the generated service, on a port of the kernel's choice, that keeps what it is
// told and answers as a test says. It can be stopped and started again on the same port, and it can
// hang: calls are accepted and never answered.
//
// Threading: any thread; answers are made under its lock and must not call back.
class FakeManager {
 public:
  using Scheduler = ::manager::v2::Scheduler;
  using ListRequest = ::manager::v2::ListSchedulersRequest;
  using ListResponse = ::manager::v2::ListSchedulersResponse;
  using Applications = ::manager::v2::ListApplicationsResponse;

  FakeManager();
  ~FakeManager();
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  // `tls`: null for plaintext. Fatal for the test when it cannot.
  void Start(std::shared_ptr<common::crypto::TlsSource> tls = nullptr);
  // As a process that is killed: connections break.
  void Stop();
  // A port that nobody else will have, although nothing listens on it yet.
  void ReservePort();
  std::string address() const;  // "127.0.0.1:12345"

  // Under `edit` nothing is answered. Defaults: every scheduler that registers is known, in cluster
  // configurations {}, there are no applications, and ListSchedulers answers by `clusters`.
  struct Answers {
    bool hang = false;
    absl::Status update;  // of UpdateScheduler
    absl::Status get;     // of GetScheduler
    Scheduler scheduler;  // the answer; its cluster is the caller's unless it is set
    absl::Status applications_status = absl::NotFoundError("no applications");
    Applications applications;
    absl::Status keep_alive;  // an error ends each stream at its first message
    absl::Status list;        // of ListSchedulers
    // The clusters in the order in which a node without schedulerClusterID gets them. Asked by
    // number, a cluster answers also when it is not `alive`.
    struct Cluster {
      uint64_t id = 0;
      std::vector<std::string> schedulers;  // "127.0.0.1:8002"
      bool alive = true;
      std::string client_config = "{}";
      std::string seed_client_config = "{}";
    };
    std::vector<Cluster> clusters;
    // Instead of `clusters`, where it is set.
    std::function<absl::StatusOr<ListResponse>(const ListRequest&)> on_list;
  };
  void Edit(const std::function<void(Answers&)>& edit);

  // How often something happened: "update", "get", "applications", "list", "alive" (a message of a
  // stream), "stream" (its first one), "goodbye" (the caller ended a stream), "lost" (it broke).
  int Count(const std::string& event) const;
  // Whether it has happened so often; waits for it, at most 30 s.
  bool WaitFor(const std::string& event, int count = 1) const;
  ::manager::v2::UpdateSchedulerRequest last_update() const;
  ::manager::v2::KeepAliveRequest last_alive() const;
  ListRequest last_list() const;
  // When each message of streams came.
  std::vector<std::chrono::steady_clock::time_point> alive_times() const;

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace dragonfly::tests
