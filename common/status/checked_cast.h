#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::status {

// `value` as a T, or nothing when T cannot hold it. Every narrowing of a number that came from
// outside (lengths, offsets, counts, ids) goes through here.
template <std::integral T, std::integral From>
constexpr std::optional<T> CheckedCast(From value) {
  if (!std::in_range<T>(value)) return std::nullopt;
  return static_cast<T>(value);
}

// The same as a status; `field` names the value in the message.
template <std::integral T, std::integral From>
absl::StatusOr<T> CheckedCastOr(From value, std::string_view field) {
  if (const auto result = CheckedCast<T>(value)) return *result;
  return MakeStatus(absl::StatusCode::kOutOfRange, ErrorReason::kInvalidArgument,
                    StdView(absl::StrCat(Sv(field), " is ", value, ", which is out of range")));
}

// a + b, or nothing on overflow. For offset + length and the like.
template <std::unsigned_integral T>
constexpr std::optional<T> CheckedAdd(T a, T b) {
  T sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::unsigned_integral T>
constexpr std::optional<T> CheckedMultiply(T a, T b) {
  T product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

}  // namespace dragonfly::common::status
