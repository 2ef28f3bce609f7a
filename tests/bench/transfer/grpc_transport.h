#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/async/co.h"
#include "common/crypto/tls_source.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::bench {

// The gRPC ends of the benchmark, behind the interfaces that the roles use anyway. `tls` null:
// plaintext.
std::unique_ptr<dfdaemon::transfer::PieceClient> MakeGrpcClient(
    std::shared_ptr<common::crypto::TlsSource> tls);

class GrpcParent {
 public:
  GrpcParent(std::vector<common::async::Executor> executors,
             dfdaemon::transfer::PieceProvider& provider,
             std::shared_ptr<common::crypto::TlsSource> tls);
  ~GrpcParent();
  uint16_t port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::bench
