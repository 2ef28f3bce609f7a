#include "common/id/text_codec.h"

#include <cstdint>

namespace dragonfly::common::id {
namespace {

bool MustEncode(unsigned char c, EncodeSet set) {
  if (c < 0x20 || c > 0x7E) return true;
  const auto any = [c](std::string_view set_bytes) {
    return set_bytes.find(static_cast<char>(c)) != std::string_view::npos;
  };
  switch (set) {
    case EncodeSet::kControl:
      return false;
    case EncodeSet::kFragment:
      return any(" \"<>`");
    case EncodeSet::kQuery:
      return any(" \"#<>");
    case EncodeSet::kSpecialQuery:
      return any(" \"#<>'");
    case EncodeSet::kPath:
      return any(" \"<>`#?{}");
    case EncodeSet::kUserinfo:
      return any(" \"<>`#?{}/:;=@[\\]^|");
  }
  return true;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Length of the well-formed character at the front of `text`, or 0; `bad` is then how many bytes
// one replacement character stands for (Unicode 3.9, "maximal subparts").
size_t TakeCharacter(std::string_view text, size_t& bad) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  bad = 1;
  if (lead < 0x80) return 1;
  size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return 0;
    ++bad;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

}  // namespace

void AppendPercentEncoded(std::string_view text, EncodeSet set, std::string& out) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (MustEncode(byte, set)) {
      out.push_back('%');
      out.push_back(kHexDigits[byte >> 4U]);
      out.push_back(kHexDigits[byte & 15U]);
    } else {
      out.push_back(c);
    }
  }
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = HexValue(text[i + 1]);
      const int low = HexValue(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

bool IsValidUtf8(std::string_view text) {
  size_t bad = 0;
  while (!text.empty()) {
    const size_t length = TakeCharacter(text, bad);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t bad = 0;
  while (!text.empty()) {
    const size_t length = TakeCharacter(text, bad);
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
      text.remove_prefix(bad);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace dragonfly::common::id
