#include "tests/sim/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace dragonfly::sim {

double Percentile(std::span<const double> sorted, double share) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

Summary Summarize(std::span<const RunResult> runs) {
  Summary out;
  if (runs.empty()) return out;
  out.scenario = runs.front().scenario;
  out.policy = runs.front().policy;
  out.peers = static_cast<uint32_t>(runs.front().hosts.size());
  std::vector<double> ratios;
  std::vector<double> after;
  for (const RunResult& run : runs) {
    out.seeds.push_back(run.seed);
    out.unfinished += run.unfinished;
    const auto peers = static_cast<double>(run.hosts.size()) * static_cast<double>(runs.size());
    const auto content = static_cast<double>(run.content_bytes) * static_cast<double>(runs.size());
    for (const HostResult& host : run.hosts) {
      if (host.failed) ++out.failed;
      if (host.done_seconds < 0 || host.excused) continue;
      ratios.push_back((host.done_seconds - host.joined_seconds) / host.floor_seconds);
      const double from = std::max(host.joined_seconds, run.seed_first_byte_seconds);
      after.push_back((host.done_seconds - from) / run.nominal_floor_seconds);
    }
    out.origin_copies += static_cast<double>(run.origin_bytes) / content;
    out.cross_copies += static_cast<double>(run.cross_bytes) / content;
    out.wasted_share +=
        static_cast<double>(run.wasted_bytes) / (content * static_cast<double>(run.hosts.size()));
    out.node_messages += static_cast<double>(run.node_messages) / peers;
    out.scheduler_messages += static_cast<double>(run.scheduler_messages) / peers;
    if (run.seconds > 0)
      out.scheduler_load = std::max(out.scheduler_load, run.scheduler_busy_seconds / run.seconds);
    out.scheduler_most_waiting = std::max(out.scheduler_most_waiting, run.scheduler_most_waiting);
    out.most_children = std::max(out.most_children, run.most_children);
    out.deepest = std::max(out.deepest, run.deepest);
    out.children_share.resize(run.peers_with_children.size());
    const auto all = static_cast<double>(std::accumulate(
        run.peers_with_children.begin(), run.peers_with_children.end(), uint64_t{0}));
    for (size_t i = 0; i < run.peers_with_children.size(); ++i) {
      out.children_share[i] +=
          static_cast<double>(run.peers_with_children[i]) / all / static_cast<double>(runs.size());
    }
    out.seconds = std::max(out.seconds, run.seconds);
    out.real_seconds += run.real_seconds;
    out.events += static_cast<double>(run.events);
    out.digests.push_back(run.digest);
    if (!run.stuck.empty()) {
      out.stuck.push_back(absl::StrCat(run.scenario, ", policy ", run.policy,
                                       ": got stuck; repeat with --seed ", run.seed, "\n",
                                       run.stuck));
    }
  }
  std::sort(ratios.begin(), ratios.end());
  std::sort(after.begin(), after.end());
  if (!ratios.empty()) {
    out.mean =
        std::accumulate(ratios.begin(), ratios.end(), 0.0) / static_cast<double>(ratios.size());
    out.max = ratios.back();
  }
  out.p50 = Percentile(ratios, 0.5);
  out.p90 = Percentile(ratios, 0.9);
  out.p99 = Percentile(ratios, 0.99);
  out.p999 = Percentile(ratios, 0.999);
  out.after_p50 = Percentile(after, 0.5);
  out.after_p99 = Percentile(after, 0.99);
  return out;
}

std::string Disappointments(const Summary& summary, const Expectation& expectation) {
  std::string out;
  const auto compare = [&](const char* what, double value, double most) {
    if (most <= 0 || value <= most) return;
    absl::StrAppendFormat(&out, "%s: %s is %.3f, over %.3f\n", summary.scenario, what, value, most);
  };
  compare("mean", summary.mean, expectation.mean);
  compare("p99", summary.p99, expectation.p99);
  compare("max", summary.max, expectation.max);
  compare("p50 from the seed's first byte", summary.after_p50, expectation.after_p50);
  compare("p99 from the seed's first byte", summary.after_p99, expectation.after_p99);
  compare("origin copies", summary.origin_copies, expectation.origin_copies);
  if (summary.unfinished + summary.failed > 0) {
    absl::StrAppendFormat(&out, "%s: %d peers did not get the content\n", summary.scenario,
                          summary.unfinished + summary.failed);
  }
  return out;
}

std::string Details(const Summary& s) {
  std::string out = absl::StrFormat(
      "%s, %s: %.2f s; %.2f copies between IDCs; at most %d events waited at the scheduler\n"
      "  share of peers by number of children:",
      s.scenario, s.policy, s.seconds, s.cross_copies, s.scheduler_most_waiting);
  for (size_t n = 0; n < s.children_share.size(); ++n) {
    const bool rest = n + 1 == s.children_share.size();
    absl::StrAppendFormat(&out, " %d%s: %.1f%%", n, rest ? "+" : "", s.children_share[n] * 100);
  }
  return out + "\n";
}

std::string Table(std::span<const Summary> summaries) {
  std::string out = absl::StrFormat(
      "%-28s %-12s %7s %5s | %6s %6s %6s %6s %6s %6s | %6s %6s | %6s %6s | %7s %6s %5s | %4s %4s | "
      "%7s %8s\n",
      "scenario", "policy", "peers", "lost", "mean", "p50", "p90", "p99", "p99.9", "max", "a.p50",
      "a.p99", "origin", "waste", "msg/n", "msg/s", "load", "kids", "deep", "real s", "events");
  for (const Summary& s : summaries) {
    absl::StrAppendFormat(
        &out,
        "%-28s %-12s %7d %5d | %6.2f %6.2f %6.2f %6.2f %6.2f %6.2f | %6.2f %6.2f | %6.2f %5.1f%% | "
        "%7.0f %6.0f %5.2f | %4d %4d | %7.2f %8.0f\n",
        s.scenario, s.policy, s.peers, s.unfinished + s.failed, s.mean, s.p50, s.p90, s.p99, s.p999,
        s.max, s.after_p50, s.after_p99, s.origin_copies, s.wasted_share * 100, s.node_messages,
        s.scheduler_messages, s.scheduler_load, s.most_children, s.deepest, s.real_seconds,
        s.events);
  }
  for (const Summary& s : summaries) {
    for (const std::string& stuck : s.stuck) absl::StrAppend(&out, "\n", stuck);
  }
  return out;
}

std::string Json(std::span<const Summary> summaries) {
  nlohmann::json out = nlohmann::json::array();
  for (const Summary& s : summaries) {
    std::vector<std::string> digests;
    digests.reserve(s.digests.size());
    for (uint64_t digest : s.digests) digests.push_back(absl::StrFormat("%016x", digest));
    out.push_back(
        {{"scenario", s.scenario},
         {"policy", s.policy},
         {"seeds", s.seeds},
         {"peers", s.peers},
         {"unfinished", s.unfinished},
         {"failed", s.failed},
         {"completion_over_floor",
          {{"mean", s.mean},
           {"p50", s.p50},
           {"p90", s.p90},
           {"p99", s.p99},
           {"p99.9", s.p999},
           {"max", s.max}}},
         {"after_seed_first_byte_over_nominal", {{"p50", s.after_p50}, {"p99", s.after_p99}}},
         {"origin_copies", s.origin_copies},
         {"cross_idc_copies", s.cross_copies},
         {"wasted_share", s.wasted_share},
         {"node_messages_per_peer", s.node_messages},
         {"scheduler_messages_per_peer", s.scheduler_messages},
         {"scheduler_load", s.scheduler_load},
         {"scheduler_most_waiting", s.scheduler_most_waiting},
         {"most_children", s.most_children},
         {"share_of_peers_by_children", s.children_share},
         {"deepest_path", s.deepest},
         {"virtual_seconds", s.seconds},
         {"real_seconds", s.real_seconds},
         {"events", s.events},
         {"digests", digests},
         {"stuck", s.stuck}});
  }
  return out.dump(2) + "\n";
}

}  // namespace dragonfly::sim
