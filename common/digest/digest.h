#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::digest {

enum class Algorithm : uint8_t { kCrc32, kMd5, kSha1, kSha256, kSha512, kBlake3 };

// "crc32", "sha256", ...
std::string_view AlgorithmName(Algorithm algorithm);

// A checksum as it is written everywhere: "<algorithm>:<encoded>" (docs/reference/ids.md). Encoded
// is lower-case hexadecimal, except for crc32, which is the decimal value without leading zeros.
struct Digest {
  Algorithm algorithm = Algorithm::kSha256;
  std::string encoded;

  // Takes upper-case hexadecimal too (not names of algorithms: nobody else reads those), and a
  // crc32 of 1 to 10 digits that fits 32 bits. Anything else is INVALID_ARGUMENT. A blake3 digest
  // can be read, compared and passed on, but not computed here.
  static absl::StatusOr<Digest> Parse(std::string_view text);
  static Digest FromCrc32(uint32_t crc);

  std::string ToString() const;  // "<algorithm>:<encoded>"
  // The value, for kCrc32 only; 0 for others.
  uint32_t crc32() const;

  friend bool operator==(const Digest&, const Digest&) = default;
};

// "crc32:<decimal>".
std::string Crc32Text(uint32_t crc);

// Checksum over what describes a piece rather than over its bytes: number u32, offset u64 and
// length u64 in network order, then the text of the piece's own digest. It accompanies the metadata
// of a piece.
Digest PieceMetadataDigest(uint32_t number, uint64_t offset, uint64_t length,
                           std::string_view piece_digest);

}  // namespace dragonfly::common::digest
