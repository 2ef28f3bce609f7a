#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/http/client.h"
#include "common/net/egress_policy.h"
#include "dfdaemon/source/http_answer.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source {

// http and https origins (docs/reference/source.md).
//
// Stat asks for the first byte, because signed URLs are good for one method only, and looks at what
// the answer says of the whole; a HEAD is the way out for origins that tell no length. Read is one
// GET whose body is handed on in order. Every answer is judged by http_answer.h before a byte of it
// is used, and every address is judged by the egress policy before it is dialled: somebody on this
// host may reach its loopback, also by a redirect from there, a redirect from elsewhere may not.
//
// List and Put: UNIMPLEMENTED. Threading: any executor; client and policy outlive it and its
// streams.
class HttpSource : public Source {
 public:
  struct Options {
    std::string user_agent;  // empty: "dragonfly/<version>"
    // Origins whose certificates are not checked: "host", "host:port" or "https://host:port"
    // (backend.insecureSkipVerify). Each use is logged.
    std::vector<std::string> insecure_skip_verify;
    // Sent unless the caller has one of that name (backend.requestHeader).
    HeaderList extra_headers;
    absl::Duration connect_timeout = absl::Seconds(5);
    absl::Duration first_byte_timeout = absl::Seconds(15);
    int redirect_ceiling = 10;
  };

  HttpSource(common::http::HttpClient& client, const common::net::EgressPolicy& policy,
             Options options);

  common::async::Co<absl::StatusOr<SourceHead>> Stat(common::async::CancelScope& scope,
                                                     SourceRequest request) override;
  common::async::Co<absl::StatusOr<std::unique_ptr<SourceStream>>> Read(
      common::async::CancelScope& scope, SourceRequest request,
      std::optional<core::ByteRange> range) override;
  common::async::Co<absl::StatusOr<std::vector<SourceEntry>>> List(
      common::async::CancelScope& scope, SourceRequest request) override;
  common::async::Co<absl::Status> Put(common::async::CancelScope& scope, SourceRequest request,
                                      std::string path, uint64_t length) override;

 private:
  struct Opened {
    std::unique_ptr<common::http::HttpResponse> response;
    HttpAnswer answer;
  };
  common::async::Co<absl::StatusOr<Opened>> Open(common::async::CancelScope& scope,
                                                 SourceRequest request, std::string method,
                                                 HttpQuestion question);
  common::async::Co<absl::StatusOr<std::unique_ptr<common::http::HttpResponse>>> Follow(
      common::async::CancelScope& scope, common::http::Request request);
  absl::Status Redirect(const std::string& location, common::http::Request& request) const;
  common::http::Request MakeRequest(const SourceRequest& request, std::string method,
                                    const HttpQuestion& question) const;
  bool SkipsVerification(const std::string& url) const;

  common::http::HttpClient& client_;
  const common::net::EgressPolicy& policy_;
  const Options options_;
};

}  // namespace dragonfly::dfdaemon::source
