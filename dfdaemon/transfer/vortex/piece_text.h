#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dragonfly::dfdaemon::transfer::vortex {

// The texts in the head of a piece, the same in Vortex and in the piece RPCs. Pure; any bytes are
// acceptable input.

inline constexpr size_t kMaxPieceDigestBytes = 16;  // "crc32:" and the digits of 2^32 - 1

// "crc32:" and the decimal checksum, without leading zeros.
std::string FormatPieceDigest(uint32_t crc32);
// False for what is neither empty nor "crc32:" with 1 to 10 digits below 2^32. Empty: no checksum.
bool ParsePieceDigest(std::string_view text, std::optional<uint32_t>& crc32);

// UTF-8 (RFC 3629) without control characters.
bool IsPrintableUtf8(std::string_view text);
// `text` with every byte that is no printable UTF-8 replaced by '?': it goes to logs and statuses.
std::string Printable(std::string_view text);

}  // namespace dragonfly::dfdaemon::transfer::vortex
