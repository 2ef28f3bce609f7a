#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace dragonfly::dfget::cli {

// Header names and values by lower-case name; names differing in case only are the same header.
using HeaderMap = std::map<std::string, std::string>;

// The values of the --header flags. Each is "Name: value", or "@FILE" with a header on each line
// ("@-" reads stdin; empty lines and lines that begin with '#' don't count). A name given twice
// has its last value. INVALID_ARGUMENT for what is no header, and for Range; messages never show a
// value, which may be a secret.
absl::StatusOr<HeaderMap> ParseHeaders(const std::vector<std::string>& flags);

// Overwrites with '*' what must not be seen in the list of processes: values of headers that carry
// secrets, and passwords in URLs. Returns the names of the secret headers it found. `argv` is the
// memory that the kernel shows.
std::vector<std::string> HideSecrets(int argc, char** argv);

}  // namespace dragonfly::dfget::cli
