#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace dragonfly::common::job {

// RFC 3339 with as many digits of the second as it has, as Go writes times: "2026-11-21T10:00:00Z",
// "2026-11-21T10:00:00.5Z". Never set: year 1.
std::string TimeText(absl::Time time);
// Infinite past: it is none.
absl::Time TimeOf(std::string_view text);

}  // namespace dragonfly::common::job
