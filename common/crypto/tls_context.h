#pragma once

// OpenSSL's contexts and sessions, made of TLS material. Not for other modules.

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/crypto/tls_source.h"

namespace dragonfly::common::crypto {

struct SslFree {
  void operator()(SSL* it) const { SSL_free(it); }
  void operator()(SSL_CTX* it) const { SSL_CTX_free(it); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;
using SslContextPtr = std::unique_ptr<SSL_CTX, SslFree>;

// What OpenSSL's error queue of this thread says, and empties it: "certificate has expired".
std::string TakeOpensslErrors();

// Sessions for new streams, of a context that is made anew when the material has changed.
// Threading: any thread.
class TlsContexts {
 public:
  TlsContexts(std::shared_ptr<TlsSource> source, bool server);

  // A session over `fd`, which stays the caller's. Writes never raise SIGPIPE.
  absl::StatusOr<SslPtr> NewSession(int fd);

 private:
  absl::StatusOr<SslContextPtr> MakeContext(const TlsMaterial& material) const;

  const std::shared_ptr<TlsSource> source_;
  const bool server_;
  std::mutex mutex_;                             // guards what follows
  std::shared_ptr<const TlsMaterial> material_;  // of context_
  SslContextPtr context_;
};

}  // namespace dragonfly::common::crypto
