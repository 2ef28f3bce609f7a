#include "dfdaemon/node/manager_answer.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/net/endpoint.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::dfdaemon::node {
namespace {

namespace log = common::log;
namespace v2 = ::manager::v2;
using common::status::ErrorReason;
using common::status::MakeStatus;

// More than any cluster has; the rest of an answer is not looked at.
constexpr int kMaxEntries = 4096;

absl::Status Wrong(std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, what);
}

absl::StatusOr<SchedulerList::Entry> ReadEntry(const v2::Scheduler& scheduler,
                                               const AnswerRules& rules) {
  const uint64_t cluster = scheduler.scheduler_cluster_id();
  const auto ip = common::net::IpAddress::Parse(scheduler.ip());
  const auto port = common::status::CheckedCast<uint16_t>(scheduler.port());
  if (!ip.ok() || !port.has_value() || *port == 0) {
    return Wrong(absl::StrCat("its address '", scheduler.ip().substr(0, 64), "' and port ",
                              scheduler.port(), " cannot be dialled"));
  }
  if (cluster == 0) return Wrong("it has no cluster");
  if (scheduler.has_scheduler_cluster() && scheduler.scheduler_cluster().id() != cluster) {
    return Wrong(absl::StrCat("it is of cluster ", cluster, " and carries cluster ",
                              scheduler.scheduler_cluster().id()));
  }
  if (rules.asked_for != 0 && cluster != rules.asked_for) {
    return Wrong(absl::StrCat("it is of cluster ", cluster, ", and cluster ", rules.asked_for,
                              " was asked for"));
  }
  SchedulerList::Entry entry;
  entry.target = common::net::Endpoint{*ip, *port}.ToString();
  entry.cluster_id = cluster;
  return entry;
}

absl::StatusOr<std::shared_ptr<const BlockList>> ReadBlockList(const v2::Scheduler& scheduler,
                                                               bool seed) {
  const std::string cluster = absl::StrCat("cluster ", scheduler.scheduler_cluster_id());
  // Every scheduler carries its cluster. Without one nobody knows what is blocked.
  if (!scheduler.has_scheduler_cluster()) {
    return Wrong(cluster + ": a scheduler does not carry its cluster");
  }
  const v2::SchedulerCluster& carried = scheduler.scheduler_cluster();
  return BlockList::ReadJson(seed ? carried.seed_client_config() : carried.client_config(),
                             cluster + (seed ? ": seed_client_config" : ": client_config"));
}

void LogLeftOut(std::string_view what, const absl::Status& why) {
  if (!log::OncePerMinute(std::string("manager answer ") + std::string(what))) return;
  log::Warning("part of the manager's answer cannot be used and is left out", log::kv("part", what),
               log::kv("error", why));
}

}  // namespace

absl::StatusOr<SchedulerList> ReadAnswer(const v2::ListSchedulersResponse& answer,
                                         const AnswerRules& rules) {
  SchedulerList list;
  absl::Status last_wrong = absl::OkStatus();
  std::map<uint64_t, absl::Status> unreadable;  // clusters
  for (const v2::Scheduler& scheduler : answer.schedulers()) {
    if (list.entries.size() >= kMaxEntries) break;
    auto entry = ReadEntry(scheduler, rules);
    if (!entry.ok()) {
      last_wrong = entry.status();
      LogLeftOut("scheduler", last_wrong);
      continue;
    }
    const uint64_t cluster = entry->cluster_id;
    if (unreadable.contains(cluster)) continue;
    if (!list.block_lists.contains(cluster)) {
      auto blocks = ReadBlockList(scheduler, rules.seed);
      if (!blocks.ok()) {
        if (cluster == rules.ours || cluster == rules.asked_for) return blocks.status();
        last_wrong = blocks.status();
        LogLeftOut("cluster", last_wrong);
        unreadable[cluster] = last_wrong;
        continue;
      }
      list.block_lists[cluster] = *std::move(blocks);
    }
    list.entries.push_back(*std::move(entry));
  }
  if (list.entries.empty() && !last_wrong.ok()) return last_wrong;
  return list;
}

}  // namespace dragonfly::dfdaemon::node
