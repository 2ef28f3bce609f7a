#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/http/headers.h"
#include "common/limit/connection_budget.h"
#include "common/limit/limit_report.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::crypto {
class TlsSource;
}

namespace dragonfly::common::http {

struct Reply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  HeaderList headers;  // beside Content-Type, Content-Length and Connection
};

struct ServerRequest {
  std::string method;
  std::string path;   // as written, up to '?'
  std::string query;  // what follows it, as written
  HeaderList headers;
  std::string body;
  net::Endpoint peer;
  bool encrypted = false;  // came by TLS
};

// An HTTP/1.1 server for metrics, health and REST. Bodies are read whole, up to a limit, before the
// handler is asked; what is too long, malformed or unknown is refused (400, 404, 405, 413, 414,
// 431, 503, 505), and every wait is bounded.
//
// Threading: Bind, Handle..., Start, Stop and the destructor from any thread but the executor's;
// handlers run on the executor and must not block.
class HttpServer {
 public:
  struct Options {
    // Beyond it the newest are closed.
    limit::ConnectionLimits connections = {.total = 256, .per_source = 256};
    size_t max_line_bytes = 8 * 1024;
    size_t max_header_bytes = 64 * 1024;
    size_t max_body_bytes = 0;  // 0: no bodies
    // Of all bodies, of requests and answers, that are held at once; beyond it a request is
    // answered 503 with Retry-After. One alone is always taken.
    size_t max_held_body_bytes = size_t{64} << 20;
    absl::Duration header_timeout = absl::Seconds(10);  // from the first byte of a request
    absl::Duration body_timeout = absl::Seconds(30);    // from the end of its head
    absl::Duration idle_timeout = absl::Seconds(60);  // between requests, and for writing an answer
    // TLS 1.2 or 1.3 on every connection; null: none. Never one or the other on one port.
    std::shared_ptr<crypto::TlsSource> tls = nullptr;
    absl::Duration handshake_timeout = absl::Seconds(5);
    // Bodies of 1 KiB to 8 MiB are compressed for clients that take gzip.
    bool gzip = false;
    // Where limits that are reached are told; null: nowhere. Must outlive the server.
    limit::LimitReport* report = nullptr;
    std::string name = "HTTP";  // of the listener, as told there
  };
  using Handler = std::function<Reply()>;
  // Its scope ends when the server stops. A client that goes away in between is not noticed before
  // the answer is written.
  using RequestHandler = std::function<async::Co<Reply>(async::CancelScope&, ServerRequest)>;

  // Port 0: the kernel chooses. FAILED_PRECONDITION names a taken address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Bind(async::Executor executor,
                                                          const net::Endpoint& at, Options options);
  static absl::StatusOr<std::unique_ptr<HttpServer>> Bind(async::Executor executor,
                                                          const net::Endpoint& at);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // Stop()

  // Before Start. GET and HEAD of `path`, compared with the path of the request as it is written.
  void Handle(std::string path, Handler handler);
  // Before Start. Everything else; without it that is 404 or 405.
  void HandleOthers(RequestHandler handler);
  void Start();
  // Closes all connections and waits for what runs.
  void Stop();
  const net::Endpoint& endpoint() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::http
