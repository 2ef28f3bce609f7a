#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/http/headers.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::http {

struct TlsOptions {
  // Trusted beside the roots of the system: PEM text, any number of certificates.
  std::string extra_ca_pem;
  // The same, one DER certificate each.
  std::vector<std::string> extra_ca_der;
  // Accepts every certificate. The caller logs and counts it.
  bool insecure_skip_verify = false;
};

// An address that a request is about to be sent to: resolved, and used for the connection as it is.
struct EgressTarget {
  net::IpAddress address;
  uint16_t port = 0;
  int hop = 0;  // 0 for the URL of the request, n for its n-th redirect
};

struct Request {
  std::string method = "GET";
  std::string url;  // http or https
  // Sent as they are, except those that are the client's own: Accept-Encoding, Connection,
  // Content-Length, Expect, Transfer-Encoding.
  HeaderList headers;
  std::optional<std::string> body;

  absl::Duration connect_timeout = absl::Seconds(5);  // name, TCP and TLS
  // From the request to the first byte of the answer.
  absl::Duration first_byte_timeout = absl::Seconds(15);
  // Slower than this over the whole of the period is silence. Time in which the reader makes the
  // transfer wait does not count.
  int64_t min_bytes_per_second = 1024;
  absl::Duration min_rate_period = absl::Seconds(30);

  TlsOptions tls;
  // Called on the client's thread right before a connection is made or used again, for each hop; an
  // error refuses the address. Empty: everything is allowed. Behind a proxy of the environment it
  // sees the origin only when its URL has an IP literal, because the proxy is the operator's and
  // resolves.
  std::function<absl::Status(const EgressTarget&)> egress;
  int redirect_ceiling = 10;  // 0: a redirect is handed to the caller like any other answer

  // Received and not yet read; then the origin has to wait.
  size_t buffer_bytes = size_t{2} << 20;
};

using Chunk = std::vector<std::byte>;

// An answer whose head has come. Gone before its end: the transfer is aborted.
// Threading: belongs to the executor of the scope that it was opened with.
class HttpResponse {
 public:
  virtual ~HttpResponse() = default;
  virtual int status() const = 0;
  virtual const HeaderList& headers() const = 0;
  // Where redirects have led. May have a signature in its query: not for logs.
  virtual const std::string& effective_url() const = 0;
  // At least one byte of the body and at most 256 KiB; OUT_OF_RANGE at the clean end, DATA_LOSS
  // when the body was cut short, UNAVAILABLE (kOriginSilent) when the origin fell silent.
  virtual async::Co<absl::StatusOr<Chunk>> ReadSome(async::CancelScope& scope) = 0;
};

// HTTP/1.1, and HTTP/2 where a TLS origin offers it, on libcurl. Connections are kept and used
// again. Never asks for compression: what is read is what the origin stores.
//
// Redirects are followed here, not by libcurl: at most redirect_ceiling, each address through the
// egress hook, never from https to http, and another origin gets no credentials (IsCredential).
//
// Errors carry a reason: kOriginUnreachable (name, connect, TLS), kOriginSilent, kOriginProtocol,
// kForbidden (egress, downgrade), kInvalidArgument. Error statuses of HTTP are answers, not errors.
//
// Threading: Open belongs to the executor of its scope; different executors may use one client. The
// client has a thread of its own, and outlives its responses.
class HttpClient {
 public:
  struct Options {
    size_t max_transfers = 1024;  // beyond it Open is RESOURCE_EXHAUSTED
    long max_idle_connections = 64;
    std::string user_agent = "dragonfly";  // for requests without one
  };
  explicit HttpClient(Options options);
  HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // Returns when the head of the answer has come.
  async::Co<absl::StatusOr<std::unique_ptr<HttpResponse>>> Open(async::CancelScope& scope,
                                                                Request request);

 private:
  std::shared_ptr<class CurlLoop> loop_;  // shared with transfers that end after their response
};

}  // namespace dragonfly::common::http
