#include "common/job/time_text.h"

#include "common/status/strings.h"

namespace dragonfly::common::job {

std::string TimeText(absl::Time time) {
  // What Go's zero time is, and the last that the format has.
  static const absl::Time kFirst = absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone());
  static const absl::Time kLast =
      absl::FromCivil(absl::CivilSecond(9999, 12, 31, 23, 59, 59), absl::UTCTimeZone());
  const absl::Time shown = time < kFirst ? kFirst : (time > kLast ? kLast : time);
  return absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E*SZ", shown, absl::UTCTimeZone());
}

absl::Time TimeOf(std::string_view text) {
  absl::Time time;
  std::string error;
  if (text.size() > 64 || !absl::ParseTime(absl::RFC3339_full, status::Sv(text), &time, &error)) {
    return absl::InfinitePast();
  }
  return time;
}

}  // namespace dragonfly::common::job
