#include "common/digest/digest.h"

#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::digest {
namespace {

using status::ErrorReason;
using status::MakeStatus;
using status::StdView;
using status::Sv;

struct AlgorithmRow {
  Algorithm algorithm;
  std::string_view name;
  size_t hex_characters;  // 0: decimal
};

constexpr std::array<AlgorithmRow, 6> kRows = {{
    {Algorithm::kCrc32, "crc32", 0},
    {Algorithm::kMd5, "md5", 32},
    {Algorithm::kSha1, "sha1", 40},
    {Algorithm::kSha256, "sha256", 64},
    {Algorithm::kSha512, "sha512", 128},
    {Algorithm::kBlake3, "blake3", 64},
}};

absl::Status Refuse(std::string_view text, std::string_view why) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    StdView(absl::StrCat("digest '", Sv(text.substr(0, 160)), "': ", Sv(why))));
}

bool IsHex(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

template <typename Integer>
void AppendBigEndian(std::string& out, Integer value) {
  for (size_t shift = sizeof(Integer) * 8; shift > 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> (shift - 8)) & 0xFFU));
  }
}

}  // namespace

std::string_view AlgorithmName(Algorithm algorithm) {
  for (const AlgorithmRow& row : kRows) {
    if (row.algorithm == algorithm) return row.name;
  }
  return "unknown";
}

absl::StatusOr<Digest> Digest::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return Refuse(text,
                  "write <algorithm>:<value>, for example sha256:<64 hexadecimal characters>");
  }
  const std::string_view name = text.substr(0, colon);
  const std::string_view encoded = text.substr(colon + 1);
  for (const AlgorithmRow& row : kRows) {
    if (row.name != name) continue;
    if (row.hex_characters != 0) {
      if (encoded.size() != row.hex_characters || !IsHex(encoded)) {
        return Refuse(text, StdView(absl::StrCat(Sv(name), " takes ", row.hex_characters,
                                                 " hexadecimal characters")));
      }
      return Digest{row.algorithm, absl::AsciiStrToLower(Sv(encoded))};
    }
    const auto value = status::ParseInteger<uint32_t>(encoded);
    if (!value || encoded.size() > 10) {
      return Refuse(text, "crc32 takes a decimal number of at most 10 digits below 2^32");
    }
    return FromCrc32(*value);
  }
  return Refuse(text, "the algorithm is none of crc32, md5, sha1, sha256, sha512, blake3");
}

Digest Digest::FromCrc32(uint32_t crc) { return Digest{Algorithm::kCrc32, absl::StrCat(crc)}; }

std::string Digest::ToString() const {
  return absl::StrCat(Sv(AlgorithmName(algorithm)), ":", encoded);
}

uint32_t Digest::crc32() const {
  if (algorithm != Algorithm::kCrc32) return 0;
  return status::ParseInteger<uint32_t>(encoded).value_or(0);
}

std::string Crc32Text(uint32_t crc) { return absl::StrCat("crc32:", crc); }

Digest PieceMetadataDigest(uint32_t number, uint64_t offset, uint64_t length,
                           std::string_view piece_digest) {
  std::string input;
  AppendBigEndian(input, number);
  AppendBigEndian(input, offset);
  AppendBigEndian(input, length);
  input.append(piece_digest);
  return Digest::FromCrc32(Crc32(input));
}

}  // namespace dragonfly::common::digest
