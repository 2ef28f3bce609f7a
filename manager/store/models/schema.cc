#include "manager/store/models/schema.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/id/text_codec.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::store::models {
namespace {

using common::status::Sv;

absl::Status Refuse(const TableShape& table, const ColumnShape& column, std::string_view why) {
  return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                    common::status::ErrorReason::kInvalidArgument,
                                    absl::StrCat(table.name, ".", column.name, " ", Sv(why)));
}

size_t Characters(std::string_view utf8) {
  size_t count = 0;
  for (const char byte : utf8) count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U ? 1 : 0;
  return count;
}

absl::Status CheckText(const TableShape& table, const ColumnShape& column,
                       const std::string& text) {
  if (!common::id::IsValidUtf8(text))
    return Refuse(table, column, "is not UTF-8; send it encoded so");
  if (column.type == ColumnType::kText) {
    const size_t characters = Characters(text);
    if (characters > column.max_characters) {
      return Refuse(table, column,
                    absl::StrCat("has ", characters, " characters; shorten it to at most ",
                                 column.max_characters));
    }
  }
  if (column.type == ColumnType::kJson && !nlohmann::json::accept(text))
    return Refuse(table, column, "is not JSON; send one JSON value");
  return absl::OkStatus();
}

absl::Status CheckInteger(const TableShape& table, const ColumnShape& column, int64_t number) {
  const bool is_key = column.type == ColumnType::kId || column.type == ColumnType::kReference;
  if (is_key && number < 0)
    return Refuse(table, column, absl::StrCat("is ", number, "; an id is never negative"));
  if (column.type == ColumnType::kInteger && (number < std::numeric_limits<int32_t>::min() ||
                                              number > std::numeric_limits<int32_t>::max())) {
    return Refuse(table, column, absl::StrCat("is ", number, "; it has 32 bits"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckValue(const TableShape& table, const ColumnShape& column,
                        const sql::Value& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    if (column.nullable) return absl::OkStatus();
    return Refuse(table, column, "is missing; give it a value");
  }
  if (const auto* text = std::get_if<std::string>(&value)) return CheckText(table, column, *text);
  if (const auto* number = std::get_if<int64_t>(&value))
    return CheckInteger(table, column, *number);
  return absl::OkStatus();
}

}  // namespace dragonfly::manager::store::models
