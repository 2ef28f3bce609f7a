#include "dfget/cli/progress.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/parse.h"

namespace dragonfly::dfget::cli {
namespace {

constexpr absl::Duration kWindow = absl::Seconds(5);
constexpr absl::Duration kSampleSpacing = absl::Milliseconds(100);
constexpr size_t kMaxBar = 40;
constexpr size_t kMinBar = 10;

int Percent(double part, double whole) {
  return whole <= 0 ? 0 : static_cast<int>(std::floor(100 * part / whole));
}

std::string Bar(double fraction, size_t width) {
  const auto done = static_cast<size_t>(fraction * static_cast<double>(width));
  std::string bar(done, '=');
  if (done < width) bar.push_back('>');
  bar.resize(width, '-');
  return bar;
}

void AddShare(std::string_view name, uint64_t part, uint64_t whole, std::string& out) {
  if (part == 0) return;
  absl::StrAppendFormat(&out, "%s%s %d%%", out.empty() ? "" : " ", std::string(name),
                        Percent(static_cast<double>(part), static_cast<double>(whole)));
}

}  // namespace

void Traffic::Add(uint64_t count, From from) {
  bytes += count;
  if (from == From::kPeers) from_peers += count;
  if (from == From::kOrigin) from_origin += count;
  if (from == From::kDisk) from_disk += count;
}

void Progress::Add(uint64_t bytes, From from, absl::Time now) {
  traffic_.Add(bytes, from);
  if (!samples_.empty() && now - samples_.back().at < kSampleSpacing) {
    samples_.back().bytes += bytes;
  } else {
    samples_.push_back(Sample{now, bytes});
  }
  while (now - samples_.front().at > kWindow) samples_.pop_front();
}

double Progress::BytesPerSecond(absl::Time now) const {
  uint64_t recent = 0;
  for (const Sample& sample : samples_) {
    if (now - sample.at <= kWindow) recent += sample.bytes;
  }
  const absl::Duration span = std::min(now - start_, kWindow);
  if (span <= absl::ZeroDuration()) return 0;
  return static_cast<double>(recent) / absl::ToDoubleSeconds(span);
}

std::optional<double> Progress::Fraction() const {
  if (!total_.has_value()) return std::nullopt;
  if (*total_ == 0) return 1.0;
  return std::min(1.0, static_cast<double>(traffic_.bytes) / static_cast<double>(*total_));
}

std::string Progress::Facts(absl::Time now) const {
  const std::optional<double> fraction = Fraction();
  const auto bytes = static_cast<double>(traffic_.bytes);
  std::string out;
  if (fraction.has_value()) absl::StrAppendFormat(&out, "%3d%% ", Percent(*fraction, 1));
  absl::StrAppend(&out, ByteText(bytes));
  if (total_.has_value()) absl::StrAppend(&out, " of ", ByteText(static_cast<double>(*total_)));
  const double rate = BytesPerSecond(now);
  absl::StrAppend(&out, ", ", ByteText(rate), "/s");
  if (total_.has_value() && traffic_.bytes < *total_ && rate >= 1) {
    const double left = std::ceil((static_cast<double>(*total_) - bytes) / rate);
    // A day is as good as never.
    if (left < 86400) {
      absl::StrAppend(&out, ", ", common::status::DurationText(absl::Seconds(std::trunc(left))),
                      " left");
    }
  }
  std::string shares;
  AddShare("peers", traffic_.from_peers, traffic_.bytes, shares);
  AddShare("origin", traffic_.from_origin, traffic_.bytes, shares);
  AddShare("disk", traffic_.from_disk, traffic_.bytes, shares);
  if (!shares.empty()) absl::StrAppend(&out, ", ", shares);
  return out;
}

std::string Progress::Line(absl::Time now, size_t columns) const {
  std::string facts = Facts(now);
  const std::optional<double> fraction = Fraction();
  constexpr size_t kBrackets = 3;  // "[", "] "
  if (fraction.has_value() && facts.size() + kBrackets + kMinBar <= columns) {
    const size_t width = std::min(kMaxBar, columns - facts.size() - kBrackets);
    return absl::StrCat("[", Bar(*fraction, width), "] ", facts);
  }
  facts.resize(std::min(facts.size(), columns));
  return facts;
}

std::string ByteText(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return absl::StrFormat("%.0f B", bytes);
  size_t unit = 0;
  double value = bytes / 1024;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

}  // namespace dragonfly::dfget::cli
