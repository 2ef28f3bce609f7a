#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/headers.h"
#include "common/oci/reference.h"

namespace dragonfly::common::oci {

// How a registry that answered 401 wants to be asked.
struct AuthPlan {
  bool basic = false;             // with the credentials themselves
  std::string token_url;          // else: with a token that is got here
  bool send_credentials = false;  // to the token server
};

// Chooses among the challenges of an answer: Bearer before Basic. `auth_hosts`: token servers that
// may have credentials beside the registry's own host. UNAUTHENTICATED: none can be met, or it
// needs credentials; PERMISSION_DENIED: the token server may not have them; INVALID_ARGUMENT: its
// address is none, or http where the registry is https.
absl::StatusOr<AuthPlan> PlanAuthorisation(const Reference& reference,
                                           const http::HeaderList& answer_headers,
                                           bool has_credentials,
                                           const std::vector<std::string>& auth_hosts);

// "Basic dXNlcjpwYXNz".
std::string BasicAuthorisation(std::string_view username, std::string_view password);

}  // namespace dragonfly::common::oci
