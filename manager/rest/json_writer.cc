#include "manager/rest/json_writer.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace dragonfly::manager::rest {
namespace {

// The length of the UTF-8 character at the beginning of `text`; 0: there is none.
size_t CharacterAt(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80U) return 1;
  const size_t length = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
  if (lead < 0xC2U || lead > 0xF4U || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  // Too long a form, surrogates, beyond the last character.
  if ((lead == 0xE0U && byte(1) < 0xA0U) || (lead == 0xEDU && byte(1) >= 0xA0U) ||
      (lead == 0xF0U && byte(1) < 0x90U) || (lead == 0xF4U && byte(1) >= 0x90U)) {
    return 0;
  }
  return length;
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kLineSeparator = "\xE2\x80\xA8";
constexpr std::string_view kParagraphSeparator = "\xE2\x80\xA9";

void AppendUnicode(std::string& out, unsigned code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 0xFU];
}

bool IsHtml(char c) { return c == '<' || c == '>' || c == '&'; }

void AppendCharacter(std::string& out, std::string_view character) {
  if (character == kLineSeparator || character == kParagraphSeparator) {
    AppendUnicode(out, character == kLineSeparator ? 0x2028U : 0x2029U);
    return;
  }
  const char c = character[0];
  const auto code = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (code < 0x20U || code == 0x7FU || IsHtml(c)) {
    AppendUnicode(out, code);
  } else {
    out.append(character);
  }
}

}  // namespace

std::string EscapeForHtml(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string_view three = json.substr(i, 3);
    if (three == kLineSeparator || three == kParagraphSeparator) {
      AppendUnicode(out, three == kLineSeparator ? 0x2028U : 0x2029U);
      i += 2;
    } else if (IsHtml(json[i])) {
      AppendUnicode(out, static_cast<unsigned char>(json[i]));
    } else {
      out += json[i];
    }
  }
  return out;
}

void JsonWriter::Separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  Text(name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Text(std::string_view value) {
  Separate();
  out_ += '"';
  while (!value.empty()) {
    const size_t length = CharacterAt(value);
    AppendCharacter(out_, length == 0 ? kReplacement : value.substr(0, length));
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Integer(int64_t value) {
  Separate();
  absl::StrAppend(&out_, value);
  return *this;
}

JsonWriter& JsonWriter::Boolean(bool value) { return Raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Time(absl::Time value) {
  if (value == absl::InfinitePast() || value == absl::InfiniteFuture())
    return Text("0001-01-01T00:00:00Z");
  return Text(absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", value, absl::UTCTimeZone()));
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
  return *this;
}

}  // namespace dragonfly::manager::rest
