#include "common/trace/span_context.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace dragonfly::common::trace {
namespace {

constexpr size_t kVersion00Bytes = 55;
constexpr size_t kMaxTracestateMembers = 32;
constexpr uint8_t kSampledFlag = 1;

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
  for (const uint8_t byte : bytes) {
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

// Of a newer version: it may go on behind the flags, but only after another dash.
bool HasForm(std::string_view text, uint8_t version) {
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  if (text.size() == kVersion00Bytes) return true;
  return version != 0 && text[kVersion00Bytes] == '-';
}

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
         c == '/' || c == '@';
}

bool IsMember(std::string_view member) {
  const size_t equals = member.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals > 256) return false;
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  if (value.empty() || value.size() > 256) return false;
  return std::all_of(key.begin(), key.end(), IsKeyCharacter) &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The members of `text` without the blanks around them, which may be tabs: metadata of gRPC takes
// none, and a call that hands them on is no call. Nothing if it is no list of members.
std::optional<std::string> CanonicalTracestate(std::string_view text) {
  if (text.empty() || text.size() > kMaxTracestateBytes) return std::nullopt;
  std::string out;
  size_t members = 0;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view member = Trimmed(text.substr(0, comma));
    // Empty members are allowed.
    if (!member.empty()) {
      if (!IsMember(member) || ++members > kMaxTracestateMembers) return std::nullopt;
      if (members > 1) out += ',';
      out += member;
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (members == 0) return std::nullopt;
  return out;
}

}  // namespace

bool IsTracestate(std::string_view text) { return CanonicalTracestate(text).has_value(); }

std::optional<SpanContext> SpanContext::Parse(std::string_view traceparent,
                                              std::string_view tracestate) {
  if (traceparent.size() < kVersion00Bytes || traceparent.size() > kMaxTraceparentBytes)
    return std::nullopt;
  std::array<uint8_t, 1> version{};
  if (!ParseHex(traceparent.substr(0, 2), version) || version[0] == 0xff) return std::nullopt;
  if (!HasForm(traceparent, version[0])) return std::nullopt;
  SpanContext context;
  std::array<uint8_t, 1> flags{};
  if (!ParseHex(traceparent.substr(3, 32), context.trace_id_) ||
      !ParseHex(traceparent.substr(36, 16), context.span_id_) ||
      !ParseHex(traceparent.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (AllZero(context.trace_id_) || AllZero(context.span_id_)) return std::nullopt;
  context.valid_ = true;
  context.sampled_ = (flags[0] & kSampledFlag) != 0;
  if (std::optional<std::string> state = CanonicalTracestate(tracestate))
    context.tracestate_ = std::make_shared<const std::string>(*std::move(state));
  return context;
}

SpanContext SpanContext::NewTrace(os::Env& env, bool sampled) {
  SpanContext context;
  Fill(env, context.trace_id_);
  Fill(env, context.span_id_);
  context.valid_ = true;
  context.sampled_ = sampled;
  return context;
}

SpanContext SpanContext::Child(os::Env& env) const {
  SpanContext child = *this;
  Fill(env, child.span_id_);
  return child;
}

std::string_view SpanContext::tracestate() const {
  return tracestate_ == nullptr ? std::string_view() : std::string_view(*tracestate_);
}

std::string SpanContext::traceparent() const {
  if (!valid_) return std::string();
  std::string out = "00-";
  out.reserve(kVersion00Bytes);
  AppendHex(trace_id_, out);
  out += '-';
  AppendHex(span_id_, out);
  out += sampled_ ? "-01" : "-00";
  return out;
}

std::string SpanContext::TraceIdText() const {
  std::string out;
  if (valid_) AppendHex(trace_id_, out);
  return out;
}

std::shared_ptr<const std::string> SpanContext::Pack() const {
  if (!valid_) return nullptr;
  std::string text = traceparent();
  text += tracestate();
  return std::make_shared<const std::string>(std::move(text));
}

SpanContext SpanContext::Unpack(const std::shared_ptr<const std::string>& packed) {
  if (packed == nullptr || packed->size() < kVersion00Bytes) return SpanContext();
  const std::string_view text = *packed;
  return Parse(text.substr(0, kVersion00Bytes), text.substr(kVersion00Bytes))
      .value_or(SpanContext());
}

bool operator==(const SpanContext& a, const SpanContext& b) {
  return a.valid_ == b.valid_ && a.sampled_ == b.sampled_ && a.trace_id_ == b.trace_id_ &&
         a.span_id_ == b.span_id_ && a.tracestate() == b.tracestate();
}

}  // namespace dragonfly::common::trace
