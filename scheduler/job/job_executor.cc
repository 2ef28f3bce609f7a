#include "scheduler/job/job_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/task_id.h"
#include "common/log/redact.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::job {
namespace {

using common::status::Invalid;

constexpr size_t kMostUrls = 10'000;
constexpr uint32_t kMostConcurrent = 10'000;
constexpr int kHighestPriority = 6;
constexpr uint64_t kLeastPieceLength = uint64_t{4} << 20U;
constexpr uint64_t kMostPieceLength = uint64_t{64} << 20U;

absl::Status CheckConcurrency(const char* field, uint32_t value) {
  if (value >= 1 && value <= kMostConcurrent) return absl::OkStatus();
  return Invalid(absl::StrCat(field, ": ", value, " is not from 1 to ", kMostConcurrent));
}

struct Check {
  absl::Status operator()(const Preheat& preheat) const {
    if (preheat.urls.empty()) return Invalid("urls: is empty; name at least one URL");
    if (preheat.urls.size() > kMostUrls)
      return Invalid(absl::StrCat("urls: ", preheat.urls.size(), " are more than ", kMostUrls));
    for (const std::string& url : preheat.urls) {
      if (url.empty()) return Invalid("urls: one of them is empty");
    }
    if (preheat.percentage.has_value() && (*preheat.percentage < 1 || *preheat.percentage > 100))
      return Invalid(absl::StrCat("percentage: ", *preheat.percentage, " is not from 1 to 100"));
    if (preheat.count.has_value() && *preheat.count < 1)
      return Invalid("count: 0 hosts make no preheat; leave it out for all");
    if (preheat.priority < 0 || preheat.priority > kHighestPriority)
      return Invalid(absl::StrCat("priority: ", preheat.priority, " is not from 0 to 6"));
    if (preheat.piece_length.has_value() &&
        (*preheat.piece_length < kLeastPieceLength || *preheat.piece_length > kMostPieceLength))
      return Invalid(absl::StrCat("piece_length: ", *preheat.piece_length,
                                  " bytes are not from 4 MiB to 64 MiB"));
    absl::Status tasks = CheckConcurrency("concurrent_task_count", preheat.concurrent_tasks);
    if (!tasks.ok()) return tasks;
    return CheckConcurrency("concurrent_peer_count", preheat.concurrent_hosts);
  }
  absl::Status operator()(const FindTask& find) const {
    if (find.task_id.empty()) return Invalid("task_id: is empty");
    return CheckConcurrency("concurrent_peer_count", find.concurrent_hosts);
  }
  absl::Status operator()(const DeleteTask& del) const {
    return del.task_id.empty() ? Invalid("task_id: is empty") : absl::OkStatus();
  }
  absl::Status operator()(const ListHosts&) const { return absl::OkStatus(); }
};

}  // namespace

absl::Status Validate(const Job& job) {
  if (job.timeout <= absl::ZeroDuration())
    return Invalid(absl::StrCat("timeout: ", absl::FormatDuration(job.timeout),
                                " is no time; give it at least a second"));
  return std::visit(Check(), job.work);
}

absl::StatusOr<std::vector<std::string>> TaskIdsOf(const Preheat& preheat) {
  common::id::StandardTask task;
  task.filtered_query_params = preheat.filtered_query_params;
  if (!preheat.tag.empty()) task.tag = preheat.tag;
  if (!preheat.application.empty()) task.application = preheat.application;
  task.piece_length = preheat.piece_length;
  task.enable_task_id_based_blob_digest = preheat.blob_digest_ids;
  std::vector<std::string> ids;
  ids.reserve(preheat.urls.size());
  for (const std::string& url : preheat.urls) {
    task.url = url;
    absl::StatusOr<common::id::TaskKey> key = common::id::StandardTaskKey(task);
    if (!key.ok()) {
      return common::status::Annotate(key.status(), "urls: " + common::log::RedactUrl(url));
    }
    ids.push_back(std::move(key->id));
  }
  return ids;
}

size_t TargetCount(const Preheat& preheat, size_t hosts) {
  if (preheat.count.has_value()) return std::min<size_t>(hosts, *preheat.count);
  if (preheat.percentage.has_value() && hosts > 0)
    return std::max<size_t>(1, hosts * *preheat.percentage / 100);
  return hosts;
}

}  // namespace dragonfly::scheduler::job
