#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/reason.h"
#include "manager/store/models/schema.h"
#include "manager/store/models/values.h"

namespace dragonfly::manager::store::models {

// Which member of a row: the way to name a column. `&User::name` converts to it, a text never does,
// so no name of a column comes from outside.
template <typename Row>
using Member =
    std::variant<int64_t Row::*, int32_t Row::*, bool Row::*, std::string Row::*, absl::Time Row::*,
                 std::optional<std::string> Row::*, std::optional<absl::Time> Row::*>;

// What every table but those of joins and rules begins with. The store sets all three.
struct Stamped {
  int64_t id = 0;
  absl::Time created_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();
  friend bool operator==(const Stamped&, const Stamped&) = default;
};

// The columns of a table and the members that hold them: the one description from which schema,
// statements and rows are made.
template <typename Row>
class Table {
 public:
  // With id, created_at and updated_at if Row is Stamped, else with id alone.
  explicit Table(std::string name) {
    shape_.name = std::move(name);
    Add({"id", ColumnType::kId, 0, false, ""}, &Row::id);
    if constexpr (std::is_base_of_v<Stamped, Row>) {
      shape_.stamped = true;
      Add({"created_at", ColumnType::kTime, 0, true, ""}, &Row::created_at);
      Add({"updated_at", ColumnType::kTime, 0, true, ""}, &Row::updated_at);
    }
  }

  enum Null { kNullable, kRequired };
  Table& Text(std::string name, Member<Row> member, size_t max_characters, Null null = kNullable,
              std::string default_value = "") {
    return Add({std::move(name), ColumnType::kText, max_characters, null == kNullable,
                std::move(default_value)},
               member);
  }
  Table& Column(std::string name, Member<Row> member, ColumnType type, Null null = kNullable,
                std::string default_value = "") {
    return Add({std::move(name), type, 0, null == kNullable, std::move(default_value)}, member);
  }
  Table& Unique(std::string name, std::vector<std::string> columns) {
    shape_.keys.push_back({std::move(name), std::move(columns), true});
    return *this;
  }
  Table& Index(std::string name, std::vector<std::string> columns) {
    shape_.keys.push_back({std::move(name), std::move(columns), false});
    return *this;
  }
  Table& Dependent(std::string table, std::string column) {
    shape_.dependents.push_back({std::move(table), std::move(column)});
    return *this;
  }

  const TableShape& shape() const { return shape_; }
  // The column that holds `member`; every member of the struct has one.
  size_t ColumnOf(const Member<Row>& member) const {
    size_t column = 0;
    while (members_.at(column) != member) ++column;
    return column;
  }
  // In the order of the columns.
  std::vector<sql::Value> ValuesOf(const Row& row) const {
    std::vector<sql::Value> values;
    values.reserve(members_.size());
    for (size_t i = 0; i < members_.size(); ++i) {
      values.push_back(std::visit(
          [&](auto member) { return ToValue(row.*member, shape_.columns[i].type); }, members_[i]));
    }
    return values;
  }
  // INTERNAL: the database has something in a column that cannot be its member.
  absl::StatusOr<Row> RowOf(const std::vector<sql::Value>& values) const {
    Row row;
    for (size_t i = 0; i < members_.size(); ++i) {
      const bool fits = std::visit(
          [&](auto member) { return FromValue(values.at(i), row.*member); }, members_[i]);
      if (!fits) {
        return common::status::MakeStatus(
            absl::StatusCode::kInternal, common::status::ErrorReason::kInternal,
            absl::StrCat("the database has a value of another type in ", shape_.name, ".",
                         shape_.columns[i].name));
      }
    }
    return row;
  }

 private:
  Table& Add(ColumnShape column, Member<Row> member) {
    shape_.columns.push_back(std::move(column));
    members_.push_back(member);
    return *this;
  }

  TableShape shape_;
  std::vector<Member<Row>> members_;  // beside shape_.columns
};

// The table of a struct; specialised beside each struct.
template <typename Row>
const Table<Row>& TableOf();

}  // namespace dragonfly::manager::store::models
