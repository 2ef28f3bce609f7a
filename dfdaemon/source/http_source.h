#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http/client.h"
#include "common/net/egress_policy.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source {

// http and https origins (docs/reference/source.md). What an answer means is judged by
// http_answer.h; here it is asked for: one GET for one stretch of the content, pinned by If-Range
// to the version the task began with.
//
// Every address is put to the egress policy right before it is dialled. A redirect is the origin's
// word, not the user's: where it leads is judged as a request that came by network.
//
// Threading: any executor. Client and policy outlive it and its streams.
class HttpSource final : public Source {
 public:
  struct Options {
    // Hosts ("example.com", "10.0.0.1:8443") whose certificates are not checked; said in the log
    // once.
    std::vector<std::string> insecure_skip_verify;
    std::string user_agent;  // empty: "dragonfly/<version>"
  };
  HttpSource(common::http::HttpClient& client, const common::net::EgressPolicy& policy,
             Options options);

  common::async::Co<absl::StatusOr<SourceHead>> Stat(common::async::CancelScope& scope,
                                                     SourceRequest request) override;
  common::async::Co<absl::StatusOr<std::unique_ptr<SourceStream>>> Read(
      common::async::CancelScope& scope, SourceRequest request,
      std::optional<core::ByteRange> range) override;
  // UNIMPLEMENTED: HTTP has no directories.
  common::async::Co<absl::StatusOr<std::vector<SourceEntry>>> List(
      common::async::CancelScope& scope, SourceRequest request) override;
  common::async::Co<absl::Status> Put(common::async::CancelScope& scope, SourceRequest request,
                                      std::string path, uint64_t length) override;

 private:
  struct Opened;
  common::async::Co<absl::StatusOr<Opened>> Open(common::async::CancelScope& scope,
                                                 SourceRequest request, std::string method,
                                                 std::optional<core::ByteRange> range);
  common::http::Request MakeRequest(const SourceRequest& request, std::string method,
                                    const std::optional<core::ByteRange>& range) const;
  bool SkipsVerification(const std::string& url) const;

  common::http::HttpClient& client_;
  const common::net::EgressPolicy& policy_;
  const Options options_;
};

}  // namespace dragonfly::dfdaemon::source
