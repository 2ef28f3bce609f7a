#include "proto/rules/check.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/rules/syntax.h"

namespace dragonfly::proto::rules {
namespace {

constexpr size_t kMaxShownBytes = 64;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// `value "..."`, at most kMaxShownBytes of it. Only for values that hold no secret.
std::string Shown(std::string_view value) {
  const bool whole = value.size() <= kMaxShownBytes;
  return absl::StrCat("value \"", absl::CHexEscape(Abseil(value.substr(0, kMaxShownBytes))),
                      whole ? "\" " : "...\" ");
}

// Characters, not bytes: every byte of UTF-8 that does not continue a character begins one.
std::int64_t CharacterCount(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string Limits(const Rule& rule) {
  if (rule.hi == kNoLimit) return absl::StrCat("at least ", rule.lo);
  return absl::StrCat("from ", rule.lo, " to ", rule.hi);
}

std::string TextProblem(const Rule& rule, std::string_view value) {
  // A text is never shown: it may be a password.
  const auto bytes = static_cast<std::int64_t>(value.size());
  if (bytes > kMaxTextBytes) {
    return absl::StrCat("has ", bytes, " bytes; a text has at most ", kMaxTextBytes);
  }
  if (value.empty() && rule.lo > 0) return "is empty; a value is required";
  if (bytes <= rule.hi && rule.lo <= 1) return {};
  const std::int64_t count = CharacterCount(value);
  if (count >= rule.lo && count <= rule.hi) return {};
  return absl::StrCat("has ", count, " characters; send ", Limits(rule));
}

std::string IdProblem(std::string_view value) {
  if (value.empty()) return "is empty; an id is required";
  if (static_cast<std::int64_t>(value.size()) > kMaxIdBytes) {
    return absl::StrCat("has ", value.size(), " bytes; an id has at most ", kMaxIdBytes);
  }
  if (HasControl(value)) return "has a control character; send the id as it was given out";
  return {};
}

std::string UriValueProblem(std::string_view value) {
  if (static_cast<std::int64_t>(value.size()) > kMaxUriBytes) {
    return absl::StrCat("has ", value.size(), " bytes; a URL has at most ", kMaxUriBytes);
  }
  const std::string_view problem = UriProblem(value);
  if (problem.empty()) return {};
  return absl::StrCat(Shown(RedactUri(value)), Abseil(problem),
                      "; send an absolute URL such as https://host/path");
}

std::string ChoiceProblem(const Rule& rule, std::string_view value) {
  std::string_view rest = rule.choices;
  while (true) {
    const size_t comma = rest.find(',');
    if (rest.substr(0, comma) == value) return {};
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return absl::StrCat(Shown(value), "is not known; send one of ", Abseil(rule.choices));
}

std::string OutOfRange(const Rule& rule, const std::string& value) {
  return absl::StrCat("value ", value, " is out of range; send ", Limits(rule));
}

}  // namespace

std::string StringProblem(const Rule& rule, std::string_view value) {
  if (rule.when_set && value.empty()) return {};
  switch (rule.kind) {
    case Kind::kText:
      return TextProblem(rule, value);
    case Kind::kId:
      return IdProblem(value);
    case Kind::kUri:
      return UriValueProblem(value);
    case Kind::kIp:
      if (IsIpLiteral(value)) return {};
      return Shown(value) + "is not an IP address; send a v4 or v6 literal without port";
    case Kind::kDigest: {
      const std::string_view problem = DigestProblem(value);
      if (problem.empty()) return {};
      return absl::StrCat(Shown(value), Abseil(problem),
                          "; send ALGORITHM:HEX of md5, sha1, sha256, sha512 or blake3, or "
                          "crc32:DECIMAL, algorithm in lower case");
    }
    case Kind::kHostname: {
      const std::string_view problem = HostnameProblem(value);
      if (problem.empty()) return {};
      return absl::StrCat(Shown(value), Abseil(problem), "; send an RFC 1123 host name");
    }
    case Kind::kChoice:
      return ChoiceProblem(rule, value);
    case Kind::kBytes:
      if (static_cast<std::int64_t>(value.size()) >= rule.lo &&
          static_cast<std::int64_t>(value.size()) <= rule.hi) {
        return {};
      }
      return absl::StrCat("has ", value.size(), " bytes; send ", Limits(rule));
    default:
      return {};
  }
}

std::string IntegerProblem(const Rule& rule, std::int64_t value) {
  if (rule.kind != Kind::kRange || (rule.when_set && value == 0)) return {};
  if (value >= rule.lo && value <= rule.hi) return {};
  return OutOfRange(rule, absl::StrCat(value));
}

std::string UnsignedProblem(const Rule& rule, std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(kNoLimit)) {
    return IntegerProblem(rule, static_cast<std::int64_t>(value));
  }
  if (rule.kind != Kind::kRange || rule.hi == kNoLimit) return {};
  return OutOfRange(rule, absl::StrCat(value));
}

std::string DoubleProblem(const Rule& rule, double value) {
  if (!std::isfinite(value)) return "value is not a finite number; send a measured one or zero";
  if (rule.kind != Kind::kRange || (rule.when_set && value == 0)) return {};
  const bool below = value < static_cast<double>(rule.lo);
  const bool above = rule.hi != kNoLimit && value > static_cast<double>(rule.hi);
  if (!below && !above) return {};
  return OutOfRange(rule, absl::StrCat(value));
}

std::string EnumProblem(const Rule& rule, const google::protobuf::EnumDescriptor& type, int value) {
  if (rule.kind != Kind::kKnownEnum || (rule.when_set && value == 0)) return {};
  if (type.FindValueByNumber(value) != nullptr) return {};
  return absl::StrCat("value ", value, " is not a ", type.name(), "; send ",
                      type.value(0)->number(), " to ",
                      type.value(type.value_count() - 1)->number());
}

std::string CountProblem(const Rule& rule, std::int64_t count) {
  if (rule.when_set && count == 0) return {};
  if (count >= rule.lo && count <= rule.hi) return {};
  return absl::StrCat("has ", count, " elements; send ", Limits(rule));
}

std::string DurationProblem(const Rule& rule, const google::protobuf::Duration& value) {
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;  // protobuf's own bound, 10,000 years
  const std::int64_t seconds = value.seconds();
  const std::int32_t nanos = value.nanos();
  const bool mixed_signs = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
  if (seconds < -kMaxSeconds || seconds > kMaxSeconds || nanos <= -1'000'000'000 ||
      nanos >= 1'000'000'000 || mixed_signs) {
    return "is not a valid duration; send nanos below a second, of the same sign as the seconds";
  }
  if (rule.kind != Kind::kSeconds) return {};
  const bool below = seconds < rule.lo || (seconds == rule.lo && nanos < 0);
  const bool above = seconds > rule.hi || (seconds == rule.hi && nanos > 0);
  if (!below && !above) return {};
  return absl::StrCat("value ", seconds, " s is out of range; send ", Limits(rule), " seconds");
}

std::string TimestampProblem(const google::protobuf::Timestamp& value) {
  constexpr std::int64_t kYear1 = -62'135'596'800;  // protobuf's own bounds
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  if (value.seconds() >= kYear1 && value.seconds() <= kYear9999 && value.nanos() >= 0 &&
      value.nanos() < 1'000'000'000) {
    return {};
  }
  return "is not a valid time; send one of the years 1 to 9999, with nanos below a second";
}

std::string HeaderProblem(std::string_view name, std::string_view value) {
  // Neither is shown: either may be a credential.
  if (!IsHeaderName(name)) {
    return "has a name that is not an HTTP header name; send letters, digits and hyphens";
  }
  if (!IsHeaderValue(value)) {
    return "has a value with a line break or another control character; remove it";
  }
  if (static_cast<std::int64_t>(name.size() + value.size()) > kMaxTextBytes) {
    return absl::StrCat("has a header of more than ", kMaxTextBytes, " bytes; shorten it");
  }
  return {};
}

}  // namespace dragonfly::proto::rules
