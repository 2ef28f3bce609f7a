#include "manager/rest/audit_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/log/log.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {

using store::Repository;
using store::models::Audit;

bool AuditLog::Put(Audit row) {
  std::lock_guard lock(mutex_);
  if (rows_.size() >= options_.capacity) return false;
  rows_.push_back(std::move(row));
  return true;
}

bool AuditLog::due() const {
  std::lock_guard lock(mutex_);
  return rows_.size() >= options_.batch && !flushing_;
}

size_t AuditLog::size() const {
  std::lock_guard lock(mutex_);
  return rows_.size();
}

absl::Status AuditLog::WriteBatch(const std::deque<Audit>& batch) {
  return store_.RunInTransaction([&](store::Session& session) -> absl::Status {
    Repository<Audit> audits(session);
    for (const Audit& row : batch) {
      const absl::Status made = audits.Insert(row).status();
      // One that fits no column would come back for ever.
      if (absl::IsInvalidArgument(made)) {
        common::log::Warning("rest: an audit cannot be written", common::log::kv("error", made));
        continue;
      }
      if (!made.ok()) return made;
    }
    return absl::OkStatus();
  });
}

absl::Status AuditLog::Flush() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(flushing_, true)) return absl::OkStatus();
  }
  absl::Status status;
  while (status.ok()) {
    std::deque<Audit> batch;
    {
      std::lock_guard lock(mutex_);
      const auto size = static_cast<std::ptrdiff_t>(std::min(rows_.size(), options_.batch));
      batch.assign(rows_.begin(), rows_.begin() + size);
    }
    if (batch.empty()) break;
    status = WriteBatch(batch);
    if (!status.ok()) break;
    std::lock_guard lock(mutex_);
    rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  }
  std::lock_guard lock(mutex_);
  flushing_ = false;
  return status;
}

}  // namespace dragonfly::manager::rest
