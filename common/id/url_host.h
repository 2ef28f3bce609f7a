#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::id {

// The host of a URL, normalised: IPv6 literals compressed and in brackets; for special schemes also
// percent-decoded, lower-case, ASCII, and numeric IPv4 forms (0x7f.1, 2130706433, 0177.0.0.1) as
// four decimal numbers. Other schemes keep their host as it is, encoded where it must be.
absl::StatusOr<std::string> NormalizeHost(std::string_view host, bool special);

}  // namespace dragonfly::common::id
