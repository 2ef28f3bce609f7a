#include "scheduler/job/directory_lister.h"

#include <memory>
#include <utility>

#include "common/log/redact.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::job {
namespace {

using common::async::CancelScope;
using common::async::Co;

constexpr size_t kMostAsked = 3;

absl::Status NothingListed(const std::string& message) {
  return common::status::MakeStatus(absl::StatusCode::kNotFound,
                                    common::status::ErrorReason::kNotFound, message);
}

}  // namespace

std::vector<HostFactsPtr> DirectoryLister::Candidates(const std::string& url) const {
  std::vector<HostFactsPtr> candidates;
  for (const HostFactsPtr& host : HostsById(*deps_.hosts)) {
    if (candidates.size() < kMostAsked && !host->is_seed()) candidates.push_back(host);
  }
  if (!candidates.empty()) return candidates;
  const std::shared_ptr<const core::SeedRing> ring = deps_.ring();
  if (ring == nullptr) return candidates;
  // Asks for every member in turn, and takes those that it likes.
  ring->Pick(url, [&](const core::SeedRing::Member& member) {
    const std::shared_ptr<core::Host> host = deps_.hosts->Find(member.host_id);
    if (host != nullptr) candidates.push_back(host->facts());
    return candidates.size() == kMostAsked;
  });
  return candidates;
}

Co<absl::StatusOr<std::vector<std::string>>> DirectoryLister::Files(CancelScope& scope,
                                                                    ListOrder order) const {
  const std::string shown = common::log::RedactUrl(order.url);
  absl::Status failed = NothingListed("no host is known that could list " + shown);
  const std::vector<HostFactsPtr> candidates = Candidates(order.url);
  for (const HostFactsPtr& host : candidates) {
    absl::StatusOr<DaemonAddress> address = deps_.admit(*host);
    if (!address.ok()) {
      failed = address.status();
      continue;
    }
    absl::StatusOr<std::vector<Entry>> entries =
        co_await deps_.client->List(scope, *std::move(address), order);
    if (scope.cancelled()) co_return scope.status();
    if (!entries.ok()) {
      failed = common::status::Annotate(entries.status(), "listing " + shown);
      if (absl::IsUnavailable(failed)) continue;
      co_return failed;
    }
    std::vector<std::string> files;
    for (Entry& entry : *entries) {
      if (!entry.is_directory) files.push_back(std::move(entry.url));
    }
    if (files.empty()) co_return NothingListed("there are no files in " + shown);
    co_return files;
  }
  co_return failed;
}

}  // namespace dragonfly::scheduler::job
