#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/http/server.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "common/trace/tracer.h"
#include "manager/rest/rest_service.h"
#include "manager/store/store.h"

namespace dragonfly::manager::rest {

using nlohmann::json;

// The time of the system, and as much later as a test says.
class LaterClock final : public common::os::Clock {
 public:
  absl::Time Now() const override { return common::os::PosixEnv().clock().Now() + later(); }
  absl::Time WallNow() const override { return common::os::PosixEnv().clock().WallNow() + later(); }
  void Pass(absl::Duration duration) { seconds_ += absl::ToInt64Seconds(duration); }

 private:
  absl::Duration later() const { return absl::Seconds(seconds_.load()); }
  std::atomic<int64_t> seconds_ = 0;
};

struct Response {
  int status = 0;  // 0: none came
  common::http::HeaderList headers;
  std::string body;

  std::string Header(const char* name) const {
    return std::string(common::http::Find(headers, name).value_or(""));
  }
  json Json() const {
    json value = json::parse(body, nullptr, false);
    EXPECT_FALSE(value.is_discarded()) << body;
    return value;
  }
};

// A manager's REST API on loopback over a database in memory, with a user root and a guest.
class RestFixture : public ::testing::Test {
 protected:
  static constexpr const char* kRootPassword = "the root of it all";
  static constexpr const char* kGuestPassword = "just looking round";

  void TearDown() override;

  // Before Start.
  RestOptions options_;
  common::http::HttpServer::Options server_options_ = RestService::ServerOptions();
  size_t pool_threads_ = 4;
  size_t pool_queue_ = 100;
  common::trace::Tracer tracer_;  // off
  void Start();

  struct Request {
    std::string method = "GET";
    std::string path;
    std::string token;  // Authorization: Bearer
    std::string body;
    common::http::HeaderList headers;
  };
  Response Send(const Request& request);
  Response Get(const std::string& path, const std::string& token) {
    return Send({"GET", path, token, "", {}});
  }
  Response Post(const std::string& path, const std::string& token, const json& body) {
    return Send({"POST", path, token, body.dump(), {}});
  }
  Response Patch(const std::string& path, const std::string& token, const json& body) {
    return Send({"PATCH", path, token, body.dump(), {}});
  }
  Response Put(const std::string& path, const std::string& token) {
    return Send({"PUT", path, token, "", {}});
  }
  Response Delete(const std::string& path, const std::string& token) {
    return Send({"DELETE", path, token, "", {}});
  }
  // Bytes as they are, and what comes back until the server closes.
  std::string Talk(const std::string& text);
  static Response Parse(const std::string& text);

  std::string SignedIn(const std::string& name, const std::string& password);
  const std::string& root() const { return root_; }
  const std::string& guest() const { return guest_; }
  // A personal access token of root.
  std::string AccessToken(const json& scopes);
  int64_t Count(const std::string& table);
  void Execute(const std::string& statement);
  // Everything that the database has, as one text.
  std::string Dump();

  LaterClock clock_;
  std::unique_ptr<store::Store> store_;
  common::async::Runtime runtime_{2, "rest"};
  common::telemetry::Registry metrics_;
  common::limit::LimitReport limits_{metrics_, "dragonfly_manager", common::os::PosixEnv().clock()};
  std::unique_ptr<common::async::BlockingPool> pool_;
  std::unique_ptr<RestService> rest_;
  std::unique_ptr<common::http::HttpServer> server_;
  std::atomic<int> cluster_changes_ = 0;
  int64_t root_id_ = 0;
  int64_t guest_id_ = 0;

 private:
  std::string root_;
  std::string guest_;
};

}  // namespace dragonfly::manager::rest
