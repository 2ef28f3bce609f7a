#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace dragonfly::common::status {

// Debian builds Abseil with a string_view of its own, which neither converts to nor from the
// standard one. These two are the only bridge: absl::StrCat("a", Sv(text)).
inline absl::string_view Sv(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}
inline std::string_view StdView(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

// The message of a status as a standard view; valid as long as the status.
inline std::string_view MessageOf(const auto& status) { return StdView(status.message()); }

}  // namespace dragonfly::common::status
