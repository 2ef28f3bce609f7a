#include "dfget/cli/piece_ledger.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfget::cli {

absl::Status PieceLedger::CheckComplete() const {
  size_t missing = 0;
  uint32_t first = std::numeric_limits<uint32_t>::max();
  for (const uint32_t number : announced_) {
    if (reported_.contains(number)) continue;
    ++missing;
    first = std::min(first, number);
  }
  if (missing == 0) return absl::OkStatus();
  return common::status::MakeStatus(
      absl::StatusCode::kInternal, common::status::ErrorReason::kInternal,
      common::status::StdView(absl::StrCat(
          "download incomplete: the daemon ended with success, but of ", announced_.size(),
          " pieces it did not report ", missing, ", the first of them number ", first)));
}

}  // namespace dragonfly::dfget::cli
