#include "dfdaemon/core/types.h"

#include <algorithm>
#include <limits>

namespace dragonfly::dfdaemon::core {

std::optional<uint32_t> Geometry::piece_count() const {
  if (piece_length == 0 || !content_length.has_value()) return std::nullopt;
  const uint64_t whole = *content_length / piece_length;
  const uint64_t count = whole + (*content_length % piece_length == 0 ? 0 : 1);
  return static_cast<uint32_t>(std::min<uint64_t>(count, std::numeric_limits<uint32_t>::max()));
}

uint64_t Geometry::length_of(PieceNumber number) const {
  if (!content_length.has_value()) return piece_length;
  if (piece_length == 0 || number > *content_length / piece_length) return 0;
  return std::min(piece_length, *content_length - offset_of(number));
}

}  // namespace dragonfly::dfdaemon::core
