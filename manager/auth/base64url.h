#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dragonfly::manager::auth {

// Base64 with '-' and '_' and without padding (RFC 4648, section 5).
std::string EncodeBase64Url(std::string_view bytes);

// Takes only what EncodeBase64Url gives: no padding, no space, no other alphabet, and unused bits
// zero. So one content has one text, and a signed text cannot be varied.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace dragonfly::manager::auth
