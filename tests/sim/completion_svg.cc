#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/sim/report.h"

namespace dragonfly::sim {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 420;
constexpr double kLeft = 60;
constexpr double kRight = 200;  // for the names of the curves
constexpr double kTop = 40;
constexpr double kBottom = 50;
constexpr size_t kMostPoints = 400;
constexpr int kTicks = 8;
constexpr std::array<const char*, 8> kColours = {"#1668b8", "#d1495b", "#2e933c", "#edae49",
                                                 "#7b4bb7", "#00798c", "#8a5a44", "#555555"};

std::string Escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<double> DoneTimes(const RunResult& run) {
  std::vector<double> done;
  for (const HostResult& host : run.hosts) {
    if (host.done_seconds >= 0 && !host.excused) done.push_back(host.done_seconds);
  }
  std::sort(done.begin(), done.end());
  return done;
}

// 1, 2 or 5 times a power of ten, so that about kTicks of them fill `range`.
double TickOf(double range) {
  const double raw = range / kTicks;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double factor = raw / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

}  // namespace

std::string CompletionSvg(const std::string& title, std::span<const RunResult> runs) {
  double last = 1e-3;
  for (const RunResult& run : runs) {
    const std::vector<double> done = DoneTimes(run);
    if (!done.empty()) last = std::max(last, done.back());
  }
  last *= 1.02;
  const double plot_width = kWidth - kLeft - kRight;
  const double plot_height = kHeight - kTop - kBottom;
  const auto x_of = [&](double seconds) { return kLeft + plot_width * seconds / last; };
  const auto y_of = [&](double share) { return kTop + plot_height * (1 - share); };
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"%.0f\" y=\"22\" font-size=\"15\">%s</text>\n",
      kWidth, kHeight, kLeft, Escaped(title));
  for (double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    absl::StrAppendFormat(&out,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"#dddddd\"/><text x=\"%.1f\" y=\"%.1f\" "
                          "text-anchor=\"end\">%.0f %%</text>\n",
                          kLeft, y_of(share), kLeft + plot_width, y_of(share), kLeft - 6,
                          y_of(share) + 4, share * 100);
  }
  const double tick = TickOf(last);
  for (int i = 0; i * tick <= last; ++i) {
    absl::StrAppendFormat(&out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g s</text>\n",
                          x_of(i * tick), kTop + plot_height + 18, i * tick);
  }
  // No peer with the nominal rate can be done before this.
  if (!runs.empty() && runs.front().nominal_floor_seconds <= last) {
    const double x = x_of(runs.front().nominal_floor_seconds);
    absl::StrAppendFormat(&out,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"#999999\" stroke-dasharray=\"4 3\"/>\n",
                          x, kTop, x, kTop + plot_height);
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    const std::vector<double> done = DoneTimes(runs[i]);
    const auto all = static_cast<double>(runs[i].hosts.size());
    absl::StrAppendFormat(
        &out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    absl::StrAppendFormat(&out, "%.1f,%.1f ", x_of(0), y_of(0));
    const size_t step = std::max<size_t>(1, done.size() / kMostPoints);
    for (size_t n = 0; n < done.size(); n += step) {
      absl::StrAppendFormat(&out, "%.1f,%.1f ", x_of(done[n]),
                            y_of(static_cast<double>(n + 1) / all));
    }
    if (!done.empty()) {
      absl::StrAppendFormat(&out, "%.1f,%.1f", x_of(done.back()),
                            y_of(static_cast<double>(done.size()) / all));
    }
    const double y = kTop + 14 + 18 * static_cast<double>(i);
    absl::StrAppendFormat(&out, "\"/>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n",
                          kLeft + plot_width + 12, y, colour,
                          Escaped(absl::StrCat(runs[i].policy, ", seed ", runs[i].seed)));
  }
  return out + "</svg>\n";
}

}  // namespace dragonfly::sim
