#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "manager/store/models/schema.h"
#include "manager/store/sql/connection.h"

namespace dragonfly::manager::store::models {

// Members of rows to values of columns and back.
//
// Times lose what their column cannot keep (below a millisecond, or a second), always downwards.
// InfinitePast, the value of a time that nobody has set, is NULL.
sql::Value ToValue(int64_t member, ColumnType type);
sql::Value ToValue(int32_t member, ColumnType type);
sql::Value ToValue(bool member, ColumnType type);
sql::Value ToValue(const std::string& member, ColumnType type);
sql::Value ToValue(absl::Time member, ColumnType type);
sql::Value ToValue(const std::optional<std::string>& member, ColumnType type);
sql::Value ToValue(const std::optional<absl::Time>& member, ColumnType type);

// False: the value has another type or range. NULL leaves a member that is not optional as it is,
// at the default of its struct: upstream knows no NULL either and reads it as nothing.
bool FromValue(const sql::Value& value, int64_t& member);
bool FromValue(const sql::Value& value, int32_t& member);
bool FromValue(const sql::Value& value, bool& member);
bool FromValue(const sql::Value& value, std::string& member);
bool FromValue(const sql::Value& value, absl::Time& member);
bool FromValue(const sql::Value& value, std::optional<std::string>& member);
bool FromValue(const sql::Value& value, std::optional<absl::Time>& member);

}  // namespace dragonfly::manager::store::models
