#include "manager/store/joins.h"

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "manager/store/table_access.h"

namespace dragonfly::manager::store {

using common::status::Annotate;
using models::TableShape;
using sql::Value;

absl::Status Joins::Link(models::Join join, Pair pair) {
  const TableShape& shape = models::ShapeOf(join);
  const std::string text = absl::StrCat(
      "INSERT INTO ", shape.name, " (", shape.columns[0].name, ", ", shape.columns[1].name,
      ") VALUES (?, ?)", executor_.dialect().OnConflictUpdate(shape.primary_key, {}));
  const std::vector<Value> values = {pair.left, pair.right};
  for (size_t i = 0; i < values.size(); ++i) {
    if (absl::Status fits = models::CheckValue(shape, shape.columns[i], values[i]); !fits.ok())
      return fits;
  }
  return Annotate(executor_.Write([&](sql::Connection& connection) {
    return connection.Execute(text, values).status();
  }),
                  absl::StrCat("linking in ", shape.name));
}

absl::Status Joins::Unlink(models::Join join, Pair pair) {
  const TableShape& shape = models::ShapeOf(join);
  const std::string text =
      absl::StrCat("DELETE FROM ", shape.name, " WHERE ", shape.columns[0].name, " = ? AND ",
                   shape.columns[1].name, " = ?");
  const std::vector<Value> values = {pair.left, pair.right};
  return Annotate(executor_.Write([&](sql::Connection& connection) {
    return connection.Execute(text, values).status();
  }),
                  absl::StrCat("unlinking in ", shape.name));
}

absl::StatusOr<std::vector<Joins::Pair>> Joins::Find(models::Join join, Side side,
                                                     const std::vector<int64_t>& ids) {
  const TableShape& shape = models::ShapeOf(join);
  if (ids.size() > kMaxAnyOf) {
    return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                      common::status::ErrorReason::kInvalidArgument,
                                      absl::StrCat(shape.name, " is asked for ", ids.size(),
                                                   " ids; at most ", kMaxAnyOf, " at once"));
  }
  std::vector<Pair> pairs;
  if (ids.empty()) return pairs;
  const std::string& left = shape.columns[0].name;
  const std::string& right = shape.columns[1].name;
  std::string text = absl::StrCat("SELECT ", left, ", ", right, " FROM ", shape.name, " WHERE ",
                                  side == Side::kLeft ? left : right, " IN (?");
  for (size_t i = 1; i < ids.size(); ++i) text += ", ?";
  absl::StrAppend(&text, ") ORDER BY ", left, ", ", right);
  const std::vector<Value> values(ids.begin(), ids.end());
  const absl::Status done = executor_.Read([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> found = connection.Execute(text, values);
    if (!found.ok()) return found.status();
    pairs.clear();
    for (const std::vector<Value>& row : found->rows)
      pairs.push_back({std::get<int64_t>(row.at(0)), std::get<int64_t>(row.at(1))});
    return absl::OkStatus();
  });
  if (!done.ok()) return Annotate(done, absl::StrCat("reading ", shape.name));
  return pairs;
}

}  // namespace dragonfly::manager::store
