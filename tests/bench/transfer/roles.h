#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/crypto/tls_source.h"

namespace dragonfly::bench {

// One process of a run. Each serves commands by lines until its input ends (process.h).
struct RoleOptions {
  std::string role;
  std::string dir;  // of its own, exists
  uint64_t content_bytes = 0;
  uint64_t piece_bytes = 0;
  size_t connections = 1;
  size_t cores = 2;
  uint64_t seed = 1;
  std::string engine = "read";       // of the server: read or sendfile
  std::string transport = "vortex";  // of pieces: vortex or grpc
  std::string tls;                   // folder of ca.pem, cert.pem and key.pem; empty: plaintext
};

// The certificates in that folder; null for plaintext.
std::shared_ptr<common::crypto::TlsSource> OpenTls(const RoleOptions& options);

// Our piece server over a store that has everything. Greeting: the port.
void RunPieceParent(const RoleOptions& options);
// Our client into a store of its own. Command `run PORT KEEPALIVE`: fetches the whole content into
// a new task and answers with the seconds that it took.
void RunPieceChild(const RoleOptions& options);

// The baseline: a file behind plain sockets. Greeting: the port.
void RunRawParent(const RoleOptions& options);
// Command `run PORT MODE BUFFER`: the same content into a new, preallocated file; MODE read or
// sendfile.
void RunRawChild(const RoleOptions& options);

// Bytes [offset, ...) of the content of `seed`.
void FillContent(uint64_t seed, uint64_t offset, unsigned char* out, size_t size);

}  // namespace dragonfly::bench
