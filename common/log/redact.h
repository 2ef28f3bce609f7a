#pragma once

#include <string>
#include <string_view>

namespace dragonfly::common::log {

inline constexpr std::string_view kRedacted = "***";

// Whether a header, query parameter or field of this name carries a secret: Authorization, Cookie,
// X-Amz-*, X-Goog-*, access keys, tokens, passwords, signatures and their kin. Case does not
// matter.
bool IsSecretName(std::string_view name);

// `url` with "***" for its user name and password and for the values of secret query parameters.
// Takes any text; what is no URL comes back as it is.
std::string RedactUrl(std::string_view url);

// `text` with every URL in it redacted, and with "***" for what follows "Bearer " or "Basic " and
// for the values of "name: value" and "name=value" where the name is secret.
std::string RedactText(std::string_view text);

}  // namespace dragonfly::common::log
