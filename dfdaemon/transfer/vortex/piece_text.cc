#include "dfdaemon/transfer/vortex/piece_text.h"

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::transfer::vortex {
namespace {

constexpr std::string_view kDigestPrefix = "crc32:";

// Bytes of the UTF-8 sequence that `text` begins with, 0 if it begins with none (RFC 3629: no
// overlong forms, no surrogates, nothing beyond U+10FFFF).
size_t Utf8SequenceLength(std::string_view text) {
  const auto at = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length) return 0;
  if (at(1) < low || at(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool IsControl(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0 || IsControl(text.front())) {
      out.push_back('?');
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

bool IsPrintableUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0 || IsControl(text.front())) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string FormatPieceDigest(uint32_t crc32) {
  return absl::StrCat(common::status::Sv(kDigestPrefix), crc32);
}

bool ParsePieceDigest(std::string_view text, std::optional<uint32_t>& crc32) {
  crc32.reset();
  if (text.empty()) return true;
  if (!text.starts_with(kDigestPrefix)) return false;
  text.remove_prefix(kDigestPrefix.size());
  if (text.empty() || text.size() > 10) return false;
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  crc32 = common::status::CheckedCast<uint32_t>(value);
  return crc32.has_value();
}

}  // namespace dragonfly::dfdaemon::transfer::vortex
