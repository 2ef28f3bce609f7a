// JSON that a manager sends: bounded, and written again it reads the same.

#include <string>

#include "common/config/value.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::config::Value;

constexpr int kMaxLevels = 32;
constexpr size_t kMaxValues = 100'000;

std::string Quoted(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

// `value` as JSON whose scalars are all texts; counts values, and holds the depth to its limit.
std::string Written(const Value& value, int level, size_t& values) {
  FUZZ_CHECK(level <= kMaxLevels);
  FUZZ_CHECK(++values <= kMaxValues);
  std::string out;
  switch (value.kind) {
    case Value::Kind::kNull:
      FUZZ_CHECK(value.scalar.empty() && value.list.empty() && value.map.empty());
      return "null";
    case Value::Kind::kScalar:
      FUZZ_CHECK(value.list.empty() && value.map.empty());
      return Quoted(value.scalar);
    case Value::Kind::kList:
      FUZZ_CHECK(value.scalar.empty() && value.map.empty());
      for (const Value& element : value.list) {
        out += out.empty() ? "[" : ",";
        out += Written(element, level + 1, values);
      }
      return out.empty() ? "[]" : out + "]";
    case Value::Kind::kMap:
      break;
  }
  FUZZ_CHECK(value.scalar.empty() && value.list.empty());
  for (const auto& [key, member] : value.map) {
    out += out.empty() ? "{" : ",";
    out += Quoted(key) + ":" + Written(member, level + 1, values);
  }
  return out.empty() ? "{}" : out + "}";
}

bool Same(const Value& a, const Value& b) {
  if (a.kind != b.kind || a.scalar != b.scalar || a.list.size() != b.list.size() ||
      a.map.size() != b.map.size()) {
    return false;
  }
  for (size_t i = 0; i < a.list.size(); ++i) {
    if (!Same(a.list[i], b.list[i])) return false;
  }
  for (size_t i = 0; i < a.map.size(); ++i) {
    if (a.map[i].key != b.map[i].key || !Same(a.map[i].value, b.map[i].value)) return false;
  }
  return true;
}

void TryParse(std::string_view text) {
  const auto parsed = common::config::ParseJson(text, "input");
  if (!parsed.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(parsed.status()));
    FUZZ_CHECK(parsed.status().message().substr(0, 5) == "input");
    return;
  }
  size_t values = 0;
  const std::string written = Written(*parsed, 1, values);
  const auto again = common::config::ParseJson(written, "written");
  if (!again.ok()) {
    std::fprintf(stderr, "%s\n%s\n", written.c_str(), again.status().ToString().c_str());
  }
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(Same(*parsed, *again));
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dragonfly::fuzz::TryParse(dragonfly::fuzz::TextOf(data, size));
  return 0;
}
