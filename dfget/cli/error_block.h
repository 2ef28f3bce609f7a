#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::dfget::cli {

// An error as people and scripts have learned to read it: headline, a line of 40 '*', "Message:",
// then what the origin said ("Bad Status Code:", "Header:" with lines "  [key]: value") or, when it
// was not the origin, "Bad Code:" and "Reason:", and the line of '*' again. Control characters of
// strangers are escaped, so that an origin cannot drive the terminal; header values that carry
// secrets are hidden. `colour`: with ANSI codes.
std::string ErrorBlock(std::string_view headline, const absl::Status& status, bool colour);

// `text` with control characters as \xNN.
std::string Printable(std::string_view text);

// Whether to colour what goes to `fd`: a terminal, no NO_COLOR (https://no-color.org), no
// TERM=dumb.
bool WantsColour(int fd);

}  // namespace dragonfly::dfget::cli
