#include "common/status/parse.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::status {
namespace {

absl::Status Invalid(std::string_view what, std::string_view text, std::string_view remedy) {
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      StdView(absl::StrCat("'", Sv(text.substr(0, 64)), "' is not ", Sv(what), "; ", Sv(remedy))));
}

bool IsNumberCharacter(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
}

void SkipSpace(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

std::string_view TakeWhile(std::string_view& text, bool (*accept)(char)) {
  size_t end = 0;
  while (end < text.size() && accept(text[end])) ++end;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

struct DurationUnit {
  std::string_view name;
  absl::Duration length;
};

const auto& DurationUnits() {
  static const absl::Duration kDay = absl::Hours(24);
  static const std::array<DurationUnit, 36> kUnits = {{
      {"ns", absl::Nanoseconds(1)},
      {"nsec", absl::Nanoseconds(1)},
      {"us", absl::Microseconds(1)},
      {"\xC2\xB5s", absl::Microseconds(1)},
      {"\xCE\xBCs", absl::Microseconds(1)},
      {"usec", absl::Microseconds(1)},
      {"ms", absl::Milliseconds(1)},
      {"msec", absl::Milliseconds(1)},
      {"s", absl::Seconds(1)},
      {"sec", absl::Seconds(1)},
      {"secs", absl::Seconds(1)},
      {"second", absl::Seconds(1)},
      {"seconds", absl::Seconds(1)},
      {"m", absl::Minutes(1)},
      {"min", absl::Minutes(1)},
      {"mins", absl::Minutes(1)},
      {"minute", absl::Minutes(1)},
      {"minutes", absl::Minutes(1)},
      {"h", absl::Hours(1)},
      {"hr", absl::Hours(1)},
      {"hrs", absl::Hours(1)},
      {"hour", absl::Hours(1)},
      {"hours", absl::Hours(1)},
      {"d", kDay},
      {"day", kDay},
      {"days", kDay},
      {"w", 7 * kDay},
      {"week", 7 * kDay},
      {"weeks", 7 * kDay},
      {"M", absl::Seconds(2630016)},
      {"month", absl::Seconds(2630016)},
      {"months", absl::Seconds(2630016)},
      {"y", absl::Seconds(31557600)},
      {"year", absl::Seconds(31557600)},
      {"years", absl::Seconds(31557600)},
      {"yr", absl::Seconds(31557600)},
  }};
  return kUnits;
}

// One "<number><unit>"; whole numbers stay exact however large.
std::optional<absl::Duration> DurationTerm(std::string_view number, absl::Duration unit) {
  if (const auto whole = ParseInteger<int64_t>(number)) return *whole * unit;
  const auto value = ParseDouble(number);
  if (!value) return std::nullopt;
  return *value * unit;
}

struct SizeUnit {
  std::string_view name;  // lower case
  uint64_t bytes;
};

constexpr uint64_t kKilo = 1000;
constexpr uint64_t kKibi = 1024;

constexpr std::array<SizeUnit, 22> kSizeUnits = {{
    {"", 1},
    {"b", 1},
    {"k", kKilo},
    {"kb", kKilo},
    {"m", kKilo* kKilo},
    {"mb", kKilo* kKilo},
    {"g", kKilo* kKilo* kKilo},
    {"gb", kKilo* kKilo* kKilo},
    {"t", kKilo* kKilo* kKilo* kKilo},
    {"tb", kKilo* kKilo* kKilo* kKilo},
    {"p", kKilo* kKilo* kKilo* kKilo* kKilo},
    {"pb", kKilo* kKilo* kKilo* kKilo* kKilo},
    {"ki", kKibi},
    {"kib", kKibi},
    {"mi", kKibi* kKibi},
    {"mib", kKibi* kKibi},
    {"gi", kKibi* kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"ti", kKibi* kKibi* kKibi* kKibi},
    {"tib", kKibi* kKibi* kKibi* kKibi},
    {"pi", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"pib", kKibi* kKibi* kKibi* kKibi* kKibi},
}};

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<double> ParseDouble(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  constexpr std::string_view kWhat = "a length of time";
  constexpr std::string_view kRemedy = "write numbers with units, for example 30s, 500ms or 1h 5m";
  if (text == "0") return absl::ZeroDuration();
  std::string_view rest = text;
  absl::Duration total = absl::ZeroDuration();
  bool any = false;
  while (true) {
    SkipSpace(rest);
    if (rest.empty()) break;
    const std::string_view number = TakeWhile(rest, IsNumberCharacter);
    SkipSpace(rest);
    const std::string_view unit =
        TakeWhile(rest, [](char c) { return !IsNumberCharacter(c) && c != ' '; });
    const auto& units = DurationUnits();
    const auto found = std::find_if(units.begin(), units.end(),
                                    [unit](const DurationUnit& u) { return u.name == unit; });
    if (found == units.end()) return Invalid(kWhat, text, kRemedy);
    const auto term = DurationTerm(number, found->length);
    if (!term) return Invalid(kWhat, text, kRemedy);
    total += *term;
    any = true;
  }
  if (!any) return Invalid(kWhat, text, kRemedy);
  if (total == absl::InfiniteDuration()) return Invalid(kWhat, text, "it is too long");
  // A fraction of a nanosecond has no text.
  return absl::Trunc(total, absl::Nanoseconds(1));
}

std::string DurationText(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "infinite";
  if (duration <= absl::ZeroDuration()) return "0s";
  struct Unit {
    std::string_view name;
    absl::Duration length;
  };
  static const std::array<Unit, 6> kUnits = {{{"h", absl::Hours(1)},
                                              {"m", absl::Minutes(1)},
                                              {"s", absl::Seconds(1)},
                                              {"ms", absl::Milliseconds(1)},
                                              {"us", absl::Microseconds(1)},
                                              {"ns", absl::Nanoseconds(1)}}};
  std::string text;
  for (const Unit& unit : kUnits) {
    const int64_t count = absl::IDivDuration(duration, unit.length, &duration);
    if (count == 0) continue;
    if (!text.empty()) text += ' ';
    absl::StrAppend(&text, count, Sv(unit.name));
  }
  return text.empty() ? "0s" : text;
}

absl::StatusOr<uint64_t> ParseByteSize(std::string_view text) {
  constexpr std::string_view kWhat = "a number of bytes";
  constexpr std::string_view kRemedy = "write for example 4096, 64MiB or 50GB";
  std::string_view rest = text;
  const std::string_view number = TakeWhile(rest, IsNumberCharacter);
  SkipSpace(rest);
  const std::string unit = absl::AsciiStrToLower(Sv(rest));
  const auto found = std::find_if(kSizeUnits.begin(), kSizeUnits.end(),
                                  [&unit](const SizeUnit& u) { return u.name == unit; });
  if (number.empty() || found == kSizeUnits.end()) return Invalid(kWhat, text, kRemedy);
  if (const auto whole = ParseInteger<uint64_t>(number)) {
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(*whole, found->bytes, &bytes)) {
      return Invalid(kWhat, text, "it is too large");
    }
    return bytes;
  }
  const auto value = ParseDouble(number);
  if (!value) return Invalid(kWhat, text, kRemedy);
  const double bytes = *value * static_cast<double>(found->bytes);
  if (bytes >= 18446744073709551616.0) return Invalid(kWhat, text, "it is too large");
  return static_cast<uint64_t>(bytes);
}

std::string ByteSizeText(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames = {"K", "M", "G", "T", "P"};
  uint64_t binary = kKibi * kKibi * kKibi * kKibi * kKibi;
  uint64_t decimal = kKilo * kKilo * kKilo * kKilo * kKilo;
  for (size_t i = kNames.size(); i-- > 0 && bytes != 0;) {
    if (bytes % binary == 0) return absl::StrCat(bytes / binary, Sv(kNames[i]), "iB");
    if (bytes % decimal == 0) return absl::StrCat(bytes / decimal, Sv(kNames[i]), "B");
    binary /= kKibi;
    decimal /= kKilo;
  }
  return absl::StrCat(bytes);
}

std::string NearestName(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string wanted = absl::AsciiStrToLower(Sv(name));
  std::string best;
  size_t best_distance = std::max<size_t>(2, wanted.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(wanted, absl::AsciiStrToLower(candidate));
    if (distance < best_distance && distance < candidate.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace dragonfly::common::status
