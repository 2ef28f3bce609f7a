#include "dfdaemon/core/source_plan.h"

#include <algorithm>
#include <optional>

namespace dragonfly::dfdaemon::core {
namespace {

std::optional<SourceStretch> FirstStretch(const PiecePicker& picker, PieceNumber begin,
                                          PieceNumber end) {
  const std::optional<PieceNumber> first = picker.FirstOrphan(begin, end);
  const std::optional<PieceNumber> last = picker.LastOrphan(begin, end);
  if (!first.has_value() || !last.has_value()) return std::nullopt;
  return SourceStretch{*first, *last + 1};
}

}  // namespace

void SourcePlan::SetSlice(uint32_t index, uint32_t count) {
  count_ = std::max(count, 1U);
  index_ = index < count_ ? index : 0;
  cursor_.reset();
}

std::optional<SourceStretch> SourcePlan::Next(const PiecePicker& picker) const {
  const uint32_t size = picker.size();
  const auto slice_begin = static_cast<PieceNumber>(uint64_t{size} * index_ / count_);
  const PieceNumber from = std::min(cursor_.value_or(slice_begin), size);
  const std::optional<SourceStretch> ahead = FirstStretch(picker, from, size);
  return ahead.has_value() ? ahead : FirstStretch(picker, 0, from);
}

}  // namespace dragonfly::dfdaemon::core
