#include "common/telemetry/trace.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace dragonfly::common::telemetry {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// False unless `text` is exactly lower-case hexadecimal of out.size() bytes.
bool ParseHex(std::string_view text, std::span<uint8_t> out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

void AppendHex(std::span<const uint8_t> bytes, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
}

bool AllZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

template <size_t n>
void Fill(os::Env& env, std::array<uint8_t, n>& bytes) {
  do {
    for (size_t i = 0; i < n; i += 8) {
      const uint64_t random = env.Random();
      std::memcpy(bytes.data() + i, &random, std::min<size_t>(8, n - i));
    }
  } while (AllZero(bytes));
}

class Nowhere final : public SpanExporter {
 public:
  void Export(Span) override {}
};

}  // namespace

std::optional<TraceContext> TraceContext::Parse(std::string_view text) {
  if (text.size() != 55 || text.substr(0, 3) != "00-" || text[35] != '-' || text[52] != '-')
    return std::nullopt;
  TraceContext context;
  uint8_t flags = 0;
  if (!ParseHex(text.substr(3, 32), context.trace_id) ||
      !ParseHex(text.substr(36, 16), context.span_id) ||
      !ParseHex(text.substr(53, 2), std::span<uint8_t>(&flags, 1))) {
    return std::nullopt;
  }
  if (AllZero(context.trace_id) || AllZero(context.span_id)) return std::nullopt;
  context.sampled = (flags & 1U) != 0;
  return context;
}

TraceContext TraceContext::NewTrace(os::Env& env) {
  TraceContext context;
  Fill(env, context.trace_id);
  Fill(env, context.span_id);
  return context;
}

TraceContext TraceContext::Child(os::Env& env) const {
  TraceContext child = *this;
  Fill(env, child.span_id);
  return child;
}

std::string TraceContext::ToString() const {
  std::string out = "00-";
  AppendHex(trace_id, out);
  out += '-';
  AppendHex(span_id, out);
  out += sampled ? "-01" : "-00";
  return out;
}

SpanExporter& NoExporter() {
  static Nowhere nowhere;
  return nowhere;
}

}  // namespace dragonfly::common::telemetry
