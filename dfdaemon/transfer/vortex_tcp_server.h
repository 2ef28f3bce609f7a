#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/co.h"
#include "common/crypto/tls_source.h"
#include "common/limit/connection_budget.h"
#include "common/limit/limit_report.h"
#include "common/net/endpoint.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer {

// How the bytes of a piece go from file to socket.
enum class SendEngine : uint8_t {
  kReadSend,  // pread into a warm buffer, then send: the quicker one on loopback and the default
  kSendFile,  // sendfile(2): no copy into user space; falls back where a piece has no descriptor
};

// What a server counts. Read from any thread, at any time.
struct VortexServerStats {
  std::atomic<uint64_t> connections_open{0};
  std::atomic<uint64_t> connections_accepted{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> protocol_violations{0};  // connections closed for them
  std::atomic<uint64_t> error_replies{0};
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> tls_refused{0};  // handshakes that failed, plaintext where TLS is required
  std::atomic<uint64_t> piece_bytes_sent{0};
};

// The name of the listener, as limits that are reached are told.
inline constexpr std::string_view kPieceListener = "pieces";

struct VortexTcpServerOptions {
  common::net::Endpoint endpoint;  // port 0: the kernel chooses
  SendEngine send_engine = SendEngine::kReadSend;
  int backlog = 1024;
  // Upstream's children open one for each piece: of new ones there may be many.
  common::limit::ConnectionLimits connections = {
      .total = 4096, .per_source = 256, .new_per_second = 2000, .burst = 10'000};
  size_t max_pipelined_requests = 64;  // of one connection; further ones stay in the socket
  absl::Duration first_request_timeout = absl::Seconds(10);
  absl::Duration write_stall_timeout = absl::Seconds(60);
  absl::Duration idle_timeout = absl::Seconds(420);  // between requests, keepalive/1 only
  absl::Duration open_timeout = absl::Seconds(360);  // waiting for a piece that is on its way
  std::shared_ptr<common::crypto::TlsSource> tls;    // null: plaintext only
  bool require_tls = false;                          // refuse children that speak plaintext
  absl::Duration tls_handshake_timeout = absl::Seconds(5);
  // Where limits that are reached are told; null: nowhere. Must outlive the server.
  common::limit::LimitReport* report = nullptr;
};

// Serves pieces over Vortex 0.1.5 on TCP, to upstream's children exactly as upstream's server does
// (one request, its reply, FIN; a child that half-closes is still served), and to our own children,
// which ask for it with a preface, many on one connection (keepalive/1). With a certificate, a
// connection that begins with a ClientHello is TLS (piece-tls/1). All are described in
// docs/reference/vortex.md.
//
// A connection belongs to one of the executors, in turn; the first also accepts.
// Lifecycle: construct, Start, Stop, destroy. Threading: Start, Stop and the destructor from a
// thread that is none of the executors'; the rest from any. Provider and pool outlive the server.
class VortexTcpServer {
 public:
  VortexTcpServer(VortexTcpServerOptions options, std::vector<common::async::Executor> executors,
                  PieceProvider& provider, BlockPool& pool);
  VortexTcpServer(const VortexTcpServer&) = delete;
  VortexTcpServer& operator=(const VortexTcpServer&) = delete;
  ~VortexTcpServer();  // Stop(0)

  // FAILED_PRECONDITION (kConflict) when the port is taken.
  absl::Status Start();
  // Where it listens, once started.
  common::net::Endpoint endpoint() const;
  // No new connection, no new request; replies that were asked for go on for up to `grace`, then
  // they are cut. Returns when nothing runs any more.
  void Stop(absl::Duration grace = absl::ZeroDuration());

  const VortexServerStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::transfer
