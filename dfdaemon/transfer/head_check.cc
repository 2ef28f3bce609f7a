#include "dfdaemon/transfer/head_check.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::transfer {
namespace {

std::string Differs(std::string_view what, uint64_t asked, uint64_t said) {
  return absl::StrCat(common::status::Sv(what), " ", said, " where ", asked,
                      " was asked for: parent and child cut the task differently, or the parent "
                      "lies");
}

}  // namespace

std::string PieceName(const PieceRequest& request) {
  return absl::StrCat("piece ", request.number, " of ", common::id::ToString(request.key));
}

std::string ContradictionOf(const PieceHead& head, const PieceRequest& request) {
  if (head.number != request.number) return Differs("number", request.number, head.number);
  if (head.offset != request.offset) return Differs("offset", request.offset, head.offset);
  if (head.length != request.length) return Differs("length", request.length, head.length);
  return {};
}

}  // namespace dragonfly::dfdaemon::transfer
