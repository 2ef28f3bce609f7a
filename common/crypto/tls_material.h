#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::common::crypto {

// PEM files that belong together. All three: mutual TLS, both sides show a certificate. Without
// `ca_cert`: a server that asks its clients for none. Only `ca_cert`: a client that shows none.
struct TlsFiles {
  std::string ca_cert;  // authorities of the other side
  std::string cert;     // ours, with the intermediates behind it
  std::string key;      // of ours

  bool set() const { return !ca_cert.empty() || !cert.empty() || !key.empty(); }
};

// What is in the files, checked.
struct TlsMaterial {
  std::string ca_pem;
  std::string cert_pem;
  std::string key_pem;      // never logged; wiped when the material is destroyed
  std::string fingerprint;  // SHA-256 of our certificate, lower-case hex; empty without one
  absl::Time not_after = absl::InfiniteFuture();  // of our certificate

  TlsMaterial() = default;
  TlsMaterial(const TlsMaterial&) = delete;
  TlsMaterial& operator=(const TlsMaterial&) = delete;
  TlsMaterial(TlsMaterial&&) = default;
  TlsMaterial& operator=(TlsMaterial&&) = default;
  ~TlsMaterial();
};

// Reads and checks them. INVALID_ARGUMENT names `prefix` and the key of the configuration
// ("server.tls.cert"), the path and what is wrong: missing, not PEM, no certificate in it, expired,
// not yet valid, a key of another certificate, a key that is too weak (RSA below 2048 bits).
// Follows symbolic links: secrets are mounted as such. Blocks on the disk; `now` is the wall
// clock's.
absl::StatusOr<TlsMaterial> LoadTls(const TlsFiles& files, const std::string& prefix,
                                    absl::Time now);

}  // namespace dragonfly::common::crypto
