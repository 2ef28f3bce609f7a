#pragma once

#include <string>
#include <string_view>

namespace dragonfly::common::id {

inline constexpr std::string_view kHexDigits = "0123456789ABCDEF";

// Bytes that a component must not contain raw; all above 0x7E belong to each set.
enum class EncodeSet { kControl, kFragment, kQuery, kSpecialQuery, kPath, kUserinfo };

// Appends `text` with every byte of `set` as %XX (upper case).
void AppendPercentEncoded(std::string_view text, EncodeSet set, std::string& out);

// %XX to bytes; a '%' without two hexadecimal digits stays.
std::string PercentDecode(std::string_view text);

bool IsValidUtf8(std::string_view text);
// Every maximal piece that is no UTF-8 replaced by U+FFFD.
std::string ReplaceInvalidUtf8(std::string_view text);

}  // namespace dragonfly::common::id
