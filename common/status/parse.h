#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace dragonfly::common::status {

// Parsers that take the whole text or nothing: no leading or trailing space, no sign that the type
// cannot have, no prefix that happens to be a number.

// Decimal. "", "+1", "1 ", "1e3", "0x1" and whatever does not fit T give nullopt.
template <std::integral T>
  requires(!std::same_as<T, bool>)
std::optional<T> ParseInteger(std::string_view text) {
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

// Decimal number, optionally with fraction and exponent; no infinity, no NaN.
std::optional<double> ParseDouble(std::string_view text);

// A length of time: numbers with units, largest first by custom, with or without space between
// them: "30s", "1h 5m", "1h5m", "1.5h", "720h", "500ms", "2days". Units: ns us µs ms s m h d w, and
// the words nsec usec msec sec second(s) min(s) minute(s) hr(s) hour(s) day(s) week(s) month(s)
// year(s) M y. "0" needs no unit; any other number does. Negative lengths are refused. A month
// is 30.44 days and a year 365.25, as in the humantime notation that upstream's files use.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

// The shortest of that notation which ParseDuration reads back as the same value: "1h 5m", "500ms",
// "0s".
std::string DurationText(absl::Duration duration);

// A number of bytes: "4096", "4KiB", "4mib", "1.5 GB". K, KB, M, MB, G, GB, T, TB, P, PB are powers
// of 1000; KiB ... PiB (also Ki ... Pi) are powers of 1024. Case does not matter. A fraction of a
// byte is dropped.
absl::StatusOr<uint64_t> ParseByteSize(std::string_view text);

// "64MiB", "50GB", "1001": the largest unit, binary or decimal, that gives a whole number.
std::string ByteSizeText(uint64_t bytes);

// The name of `candidates` with the smallest edit distance to `name`, ignoring case; "" when
// nothing is near enough to be a likely slip of the pen.
std::string NearestName(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace dragonfly::common::status
