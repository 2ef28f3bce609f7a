#include "manager/store/models/values.h"

#include <limits>

#include "absl/strings/string_view.h"

namespace dragonfly::manager::store::models {

using sql::Value;

Value ToValue(int64_t member, ColumnType /*type*/) { return member; }
Value ToValue(int32_t member, ColumnType /*type*/) { return int64_t{member}; }
Value ToValue(bool member, ColumnType /*type*/) { return int64_t{member ? 1 : 0}; }
Value ToValue(const std::string& member, ColumnType /*type*/) { return member; }

Value ToValue(absl::Time member, ColumnType type) {
  if (member == absl::InfinitePast() || member == absl::InfiniteFuture()) return std::monostate();
  const char* const format =
      type == ColumnType::kTimeSeconds ? "%E4Y-%m-%d %H:%M:%S.000" : "%E4Y-%m-%d %H:%M:%E3S";
  return absl::FormatTime(format, member, absl::UTCTimeZone());
}

Value ToValue(const std::optional<std::string>& member, ColumnType type) {
  return member.has_value() ? ToValue(*member, type) : Value(std::monostate());
}
Value ToValue(const std::optional<absl::Time>& member, ColumnType type) {
  return member.has_value() ? ToValue(*member, type) : Value(std::monostate());
}

bool FromValue(const Value& value, int64_t& member) {
  if (std::holds_alternative<std::monostate>(value)) return true;
  const auto* number = std::get_if<int64_t>(&value);
  if (number != nullptr) member = *number;
  return number != nullptr;
}

bool FromValue(const Value& value, int32_t& member) {
  int64_t wide = member;
  if (!FromValue(value, wide) || wide < std::numeric_limits<int32_t>::min() ||
      wide > std::numeric_limits<int32_t>::max()) {
    return false;
  }
  member = static_cast<int32_t>(wide);
  return true;
}

bool FromValue(const Value& value, bool& member) {
  int64_t wide = member ? 1 : 0;
  if (!FromValue(value, wide)) return false;
  member = wide != 0;
  return true;
}

bool FromValue(const Value& value, std::string& member) {
  if (std::holds_alternative<std::monostate>(value)) return true;
  // A column that somebody else made may be binary.
  if (const auto* blob = std::get_if<sql::Blob>(&value)) {
    member = blob->bytes;
    return true;
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr) member = *text;
  return text != nullptr;
}

bool FromValue(const Value& value, absl::Time& member) {
  if (std::holds_alternative<std::monostate>(value)) return true;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return false;
  // What a database calls a time and never was one.
  if (absl::string_view(*text).substr(0, 10) == "0000-00-00") return true;
  std::string error;
  return absl::ParseTime("%E4Y-%m-%d %H:%M:%E*S", *text, absl::UTCTimeZone(), &member, &error);
}

bool FromValue(const Value& value, std::optional<std::string>& member) {
  member.reset();
  if (std::holds_alternative<std::monostate>(value)) return true;
  return FromValue(value, member.emplace());
}

bool FromValue(const Value& value, std::optional<absl::Time>& member) {
  member.reset();
  if (std::holds_alternative<std::monostate>(value)) return true;
  return FromValue(value, member.emplace());
}

}  // namespace dragonfly::manager::store::models
