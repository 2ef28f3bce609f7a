#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dragonfly::common::manager {

// Where a manager is, as configurations write it.
struct Address {
  // A gRPC target: "manager:65003", "10.0.0.1:65003", "[fd00::1]:65003".
  std::string target;
  enum class Scheme { kNone, kHttp, kHttps } scheme = Scheme::kNone;
};

// "manager:65003" (the original's schedulers), "http://manager:65003" and "https://..." (its
// daemons); both programs take each of them. Without a port it is 65003. INVALID_ARGUMENT says what
// is wrong and shows an example.
absl::StatusOr<Address> ParseAddress(std::string_view text);

// The scheme and the TLS keys have to say the same: nothing falls back to plaintext, and nobody
// believes in a protection that is not there. `prefix`: of the keys, "manager.tls".
absl::Status CheckScheme(const Address& address, bool has_tls_files, std::string_view prefix);

}  // namespace dragonfly::common::manager
