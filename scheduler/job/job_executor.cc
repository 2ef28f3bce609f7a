#include "scheduler/job/job_executor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::job {
namespace {

using common::status::ErrorReason;
using common::status::Invalid;
using common::status::MakeStatus;

constexpr size_t kMostUrls = 10'000;
constexpr uint32_t kMostConcurrent = 10'000;

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

size_t TargetCount(const Preheat& preheat, size_t hosts) {
  if (preheat.count.has_value()) return std::min<size_t>(hosts, *preheat.count);
  if (preheat.percentage.has_value() && hosts > 0)
    return std::max<size_t>(1, hosts * *preheat.percentage / 100);
  return hosts;
}

}  // namespace dragonfly::scheduler::job
