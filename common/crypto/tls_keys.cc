#include "common/crypto/tls_keys.h"

#include "common/status/reason.h"

namespace dragonfly::common::crypto {

void AddTlsKeys(config::Schema& schema, const std::string& prefix, TlsFiles& files,
                const std::string& whose) {
  schema.Text(prefix + ".caCert", &files.ca_cert, "PEM file of the authority of " + whose);
  schema.Text(prefix + ".cert", &files.cert, "PEM file of our certificate");
  schema.Text(prefix + ".key", &files.key, "PEM file of its key; the three belong together");
  schema.Check([prefix, &files] {
    const bool all = !files.ca_cert.empty() && !files.cert.empty() && !files.key.empty();
    if (all || !files.set()) return absl::OkStatus();
    return status::MakeStatus(
        absl::StatusCode::kInvalidArgument, status::ErrorReason::kInvalidArgument,
        prefix + ": caCert, cert and key belong together; set all three, or none for plaintext");
  });
}

}  // namespace dragonfly::common::crypto
