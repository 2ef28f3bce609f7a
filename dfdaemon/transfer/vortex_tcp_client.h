#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/async/co.h"
#include "common/crypto/tls_source.h"
#include "dfdaemon/transfer/block_pool.h"
#include "dfdaemon/transfer/piece_transfer.h"
#include "dfdaemon/transfer/vortex/codec.h"

namespace dragonfly::dfdaemon::transfer {

struct VortexTcpClientOptions {
  uint64_t max_piece_bytes = vortex::kDefaultMaxPieceBytes;
  absl::Duration connect_timeout = absl::Seconds(2);
  // Connections kept for further pieces (keepalive/1 only), per executor.
  size_t max_idle_per_target = 8;
  size_t max_idle = 256;
  absl::Duration idle_timeout = absl::Seconds(300);  // below the server's 420 s
  // A socket wakes its reader when so many bytes are there (or the piece's end).
  size_t read_low_water = 128 * 1024;
  std::shared_ptr<common::crypto::TlsSource> tls;  // for targets that speak it
};

// What a client counts. Read from any thread, at any time.
struct VortexClientStats {
  std::atomic<uint64_t> connections_opened{0};
  std::atomic<uint64_t> connections_reused{0};
  std::atomic<uint64_t> pieces{0};
  std::atomic<uint64_t> pieces_without_digest{0};
  std::atomic<uint64_t> protocol_violations{0};
  std::atomic<uint64_t> piece_bytes_received{0};
};

// PieceClient over Vortex 0.1.5 on TCP (docs/reference/vortex.md): from upstream's parents a
// connection for every piece, whose write half is closed once the reply's head was understood; from
// our own parents (PieceTarget::keepalive) connections are kept. Everything that a parent says is
// held against the request before the sink sees it, and a connection with a bad packet is closed.
//
// A buffer is held only while bytes are moved from the socket to the sink, never while waiting for
// a parent: those wait in the kernel.
//
// Lifecycle: construct, Fetch, Stop, destroy. Threading: Fetch on any executor; connections are
// kept on the `executors` only. Stop and the destructor from a thread that is none of them, when no
// Fetch runs.
class VortexTcpClient final : public PieceClient {
 public:
  VortexTcpClient(VortexTcpClientOptions options, std::vector<common::async::Executor> executors,
                  BlockPool& pool);
  VortexTcpClient(const VortexTcpClient&) = delete;
  VortexTcpClient& operator=(const VortexTcpClient&) = delete;
  ~VortexTcpClient() override;  // Stop

  common::async::Co<absl::Status> Fetch(common::async::CancelScope& scope, PieceTarget target,
                                        PieceRequest request, PieceSink& sink) override;
  // Closes the idle connections.
  void Stop();

  const VortexClientStats& stats() const;

 private:
  class Connection;
  struct Shard;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::transfer
