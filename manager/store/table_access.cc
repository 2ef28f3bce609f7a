#include "manager/store/table_access.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/models/values.h"

namespace dragonfly::manager::store {
namespace {

using common::status::ErrorReason;
using common::status::Invalid;
using common::status::Sv;
using models::ColumnShape;
using models::ColumnType;
using models::kDeletedColumn;
using sql::Value;

constexpr size_t kCreatedAt = 1;  // of a stamped table
constexpr size_t kUpdatedAt = 2;

std::string_view OperatorOf(Comparison comparison) {
  switch (comparison) {
    case Comparison::kNotEqual:
      return " <> ?";
    case Comparison::kLess:
      return " < ?";
    case Comparison::kAtMost:
      return " <= ?";
    case Comparison::kGreater:
      return " > ?";
    case Comparison::kAtLeast:
      return " >= ?";
    default:
      return " = ?";
  }
}

std::string Marks(size_t count) {
  return absl::StrJoin(std::vector<std::string_view>(count, "?"), ", ",
                       [](std::string* out, std::string_view mark) { out->append(mark); });
}

bool IsNull(const Value& value) { return std::holds_alternative<std::monostate>(value); }

}  // namespace

absl::StatusOr<TableAccess::Clause> TableAccess::Where(const std::vector<Predicate>& where) const {
  Clause clause;
  std::vector<std::string> terms;
  if (shape_.stamped) terms.push_back(absl::StrCat(Sv(kDeletedColumn), " = 0"));
  for (const Predicate& predicate : where) {
    const std::string& column = shape_.columns.at(predicate.column).name;
    if (predicate.comparison == Comparison::kAnyOf) {
      if (predicate.values.size() > kMaxAnyOf) {
        return Invalid(absl::StrCat(shape_.name, ".", column, " is compared with ",
                                    predicate.values.size(), " values; at most ", kMaxAnyOf,
                                    " at once"));
      }
      terms.push_back(predicate.values.empty()
                          ? std::string("1 = 0")
                          : absl::StrCat(column, " IN (", Marks(predicate.values.size()), ")"));
    } else if (IsNull(predicate.values.at(0))) {
      terms.push_back(absl::StrCat(
          column, predicate.comparison == Comparison::kEqual ? " IS NULL" : " IS NOT NULL"));
      continue;
    } else {
      terms.push_back(absl::StrCat(column, Sv(OperatorOf(predicate.comparison))));
    }
    clause.parameters.insert(clause.parameters.end(), predicate.values.begin(),
                             predicate.values.end());
  }
  if (!terms.empty()) clause.text = absl::StrCat(" WHERE ", absl::StrJoin(terms, " AND "));
  return clause;
}

std::string TableAccess::ColumnList() const {
  return absl::StrJoin(shape_.columns, ", ", [](std::string* out, const ColumnShape& column) {
    out->append(column.name);
  });
}

absl::Status TableAccess::Prepare(Row& row) const {
  if (shape_.stamped) {
    const Value now = models::ToValue(executor_.Now(), ColumnType::kTime);
    if (IsNull(row.at(kCreatedAt))) row[kCreatedAt] = now;
    row.at(kUpdatedAt) = now;
  }
  for (size_t i = 0; i < row.size(); ++i) {
    if (absl::Status fits = models::CheckValue(shape_, shape_.columns.at(i), row[i]); !fits.ok())
      return fits;
  }
  return absl::OkStatus();
}

absl::StatusOr<TableAccess::Clause> TableAccess::Set(const Row& row,
                                                     const std::vector<size_t>& changed) const {
  Clause clause;
  std::vector<std::string> terms;
  for (const size_t column : changed) {
    const ColumnShape& shape = shape_.columns.at(column);
    if (column == 0 || (shape_.stamped && column <= kUpdatedAt)) {
      return Invalid(absl::StrCat(shape_.name, ".", shape.name,
                                  " cannot be changed; leave it out of the change"));
    }
    if (absl::Status fits = models::CheckValue(shape_, shape, row.at(column)); !fits.ok())
      return fits;
    terms.push_back(absl::StrCat(shape.name, " = ?"));
    clause.parameters.push_back(row.at(column));
  }
  if (shape_.stamped) {
    terms.push_back(absl::StrCat(shape_.columns[kUpdatedAt].name, " = ?"));
    clause.parameters.push_back(models::ToValue(executor_.Now(), ColumnType::kTime));
  }
  clause.text = absl::StrCat(" SET ", absl::StrJoin(terms, ", "));
  return clause;
}

TableAccess::Clause TableAccess::InsertOf(const Row& row) const {
  Clause clause;
  std::vector<std::string> columns;
  for (size_t i = 0; i < row.size(); ++i) {
    if (i == 0 && row[i] == Value(int64_t{0})) continue;
    columns.push_back(shape_.columns.at(i).name);
    clause.parameters.push_back(row[i]);
  }
  if (shape_.stamped) {
    columns.emplace_back(kDeletedColumn);
    clause.parameters.emplace_back(int64_t{0});
  }
  clause.text = absl::StrCat("INSERT INTO ", shape_.name, " (", absl::StrJoin(columns, ", "),
                             ") VALUES (", Marks(columns.size()), ")");
  return clause;
}

absl::StatusOr<TableAccess::Row> TableAccess::SelectOne(sql::Connection& connection,
                                                        const Clause& where) const {
  absl::StatusOr<sql::Result> found =
      connection.Execute(absl::StrCat("SELECT ", ColumnList(), " FROM ", shape_.name, where.text,
                                      " ORDER BY ", shape_.columns[0].name, " LIMIT 1"),
                         where.parameters);
  if (!found.ok()) return found.status();
  if (found->rows.empty()) return NotFound();
  return std::move(found->rows[0]);
}

absl::StatusOr<TableAccess::Row> TableAccess::Insert(Row row) {
  if (absl::Status fits = Prepare(row); !fits.ok()) return fits;
  const Clause insert = InsertOf(row);
  const bool generated = row.at(0) == Value(int64_t{0});
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> result = connection.Execute(insert.text, insert.parameters);
    if (!result.ok()) return result.status();
    if (generated) row[0] = result->last_insert_id;
    return absl::OkStatus();
  });
  if (!done.ok()) return Context(done, "inserting");
  return row;
}

absl::StatusOr<TableAccess::Row> TableAccess::FindOne(const std::vector<Predicate>& where) {
  const absl::StatusOr<Clause> clause = Where(where);
  if (!clause.ok()) return clause.status();
  absl::StatusOr<Row> row = NotFound();
  const absl::Status done = executor_.Read([&](sql::Connection& connection) {
    row = SelectOne(connection, *clause);
    return row.status();
  });
  if (!done.ok()) return Context(done, "reading");
  return row;
}

absl::StatusOr<TableAccess::Rows> TableAccess::List(const std::vector<Predicate>& where, Page page,
                                                    const std::vector<Ordering>& order) {
  if (page.number == 0) return Invalid("the page is 0; the first page is 1");
  if (page.size == 0 || page.size > kMaxPageSize) {
    return Invalid(
        absl::StrCat("the size of a page is ", page.size, "; it must be from 1 to ", kMaxPageSize));
  }
  const absl::StatusOr<Clause> clause = Where(where);
  if (!clause.ok()) return clause.status();
  std::vector<std::string> terms;
  for (const Ordering& ordering : order)
    terms.push_back(
        absl::StrCat(shape_.columns.at(ordering.column).name, ordering.descending ? " DESC" : ""));
  // The id makes the order whole: pages neither overlap nor miss a row.
  const bool last_descends = !order.empty() && order.back().descending;
  terms.push_back(absl::StrCat(shape_.columns[0].name, last_descends ? " DESC" : ""));
  const std::string select =
      absl::StrCat("SELECT ", ColumnList(), " FROM ", shape_.name, clause->text, " ORDER BY ",
                   absl::StrJoin(terms, ", "), " LIMIT ? OFFSET ?");
  Rows rows;
  const absl::Status done = executor_.Read([&](sql::Connection& connection) -> absl::Status {
    rows = Rows();
    absl::StatusOr<sql::Result> count = connection.Execute(
        absl::StrCat("SELECT COUNT(*) FROM ", shape_.name, clause->text), clause->parameters);
    if (!count.ok()) return count.status();
    rows.total = static_cast<uint64_t>(std::get<int64_t>(count->rows.at(0).at(0)));
    if (page.number - 1 > rows.total / page.size) return absl::OkStatus();  // far beyond the end
    std::vector<Value> parameters = clause->parameters;
    parameters.emplace_back(static_cast<int64_t>(page.size));
    parameters.emplace_back(static_cast<int64_t>((page.number - 1) * page.size));
    absl::StatusOr<sql::Result> found = connection.Execute(select, parameters);
    if (!found.ok()) return found.status();
    rows.rows = std::move(found->rows);
    return absl::OkStatus();
  });
  if (!done.ok()) return Context(done, "listing");
  return rows;
}

absl::StatusOr<TableAccess::Row> TableAccess::Update(int64_t id, const Row& row,
                                                     const std::vector<size_t>& changed) {
  const std::vector<Predicate> by_id = {{0, Comparison::kEqual, {id}}};
  if (changed.empty()) return FindOne(by_id);
  const absl::StatusOr<Clause> clause = Where(by_id);
  if (!clause.ok()) return clause.status();
  absl::StatusOr<Clause> set = Set(row, changed);
  if (!set.ok()) return set.status();
  std::vector<Value> parameters = set->parameters;
  parameters.insert(parameters.end(), clause->parameters.begin(), clause->parameters.end());
  absl::StatusOr<Row> merged = NotFound();
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> result = connection.Execute(
        absl::StrCat("UPDATE ", shape_.name, set->text, clause->text), parameters);
    if (!result.ok()) return result.status();
    merged = SelectOne(connection, *clause);
    return merged.status();
  });
  if (!done.ok()) return Context(done, "updating");
  return merged;
}

absl::StatusOr<uint64_t> TableAccess::UpdateWhere(const std::vector<Predicate>& where,
                                                  const Row& row,
                                                  const std::vector<size_t>& changed) {
  const absl::StatusOr<Clause> clause = Where(where);
  if (!clause.ok()) return clause.status();
  if (changed.empty()) return Invalid(absl::StrCat("nothing of ", shape_.name, " is to change"));
  absl::StatusOr<Clause> set = Set(row, changed);
  if (!set.ok()) return set.status();
  std::vector<Value> parameters = set->parameters;
  parameters.insert(parameters.end(), clause->parameters.begin(), clause->parameters.end());
  uint64_t count = 0;
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> result = connection.Execute(
        absl::StrCat("UPDATE ", shape_.name, set->text, clause->text), parameters);
    if (!result.ok()) return result.status();
    count = result->affected_rows;
    return absl::OkStatus();
  });
  if (!done.ok()) return Context(done, "updating");
  return count;
}

absl::StatusOr<TableAccess::Row> TableAccess::Upsert(Row row, std::string_view key,
                                                     const std::vector<size_t>& changed) {
  // MySQL takes any unique key for the conflict, so there must be no other one.
  const models::KeyShape* unique = nullptr;
  for (const models::KeyShape& each : shape_.keys) {
    if (!each.unique) continue;
    if (each.name != key) {
      return Invalid(absl::StrCat(shape_.name, " has the unique key ", each.name,
                                  " too; insert or update it instead"));
    }
    unique = &each;
  }
  if (unique == nullptr) return Invalid(absl::StrCat(shape_.name, " has no unique key ", Sv(key)));
  row.at(0) = int64_t{0};
  if (absl::Status fits = Prepare(row); !fits.ok()) return fits;
  if (absl::StatusOr<Clause> set = Set(row, changed); !set.ok()) return set.status();
  std::vector<std::string> columns;
  for (const size_t column : changed) columns.push_back(shape_.columns.at(column).name);
  if (shape_.stamped) columns.push_back(shape_.columns[kUpdatedAt].name);
  std::vector<Predicate> of_key;
  for (size_t i = 0; i < shape_.columns.size(); ++i) {
    if (std::find(unique->columns.begin(), unique->columns.end(), shape_.columns[i].name) !=
        unique->columns.end()) {
      of_key.push_back({i, Comparison::kEqual, {row[i]}});
    }
  }
  const absl::StatusOr<Clause> where = Where(of_key);
  if (!where.ok()) return where.status();
  const Clause insert = InsertOf(row);
  const std::string text =
      absl::StrCat(insert.text, executor_.dialect().OnConflictUpdate(unique->columns, columns));
  absl::StatusOr<Row> merged = NotFound();
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> result = connection.Execute(text, insert.parameters);
    if (!result.ok()) return result.status();
    merged = SelectOne(connection, *where);
    return merged.status();
  });
  if (!done.ok()) return Context(done, "inserting or updating");
  return merged;
}

absl::Status TableAccess::DeleteIds(sql::Connection& connection, const std::vector<Value>& ids,
                                    uint64_t& deleted) const {
  const absl::StatusOr<Clause> where = Where({{0, Comparison::kAnyOf, ids}});
  if (!where.ok()) return where.status();
  absl::StatusOr<sql::Result> result =
      connection.Execute(absl::StrCat("DELETE FROM ", shape_.name, where->text), where->parameters);
  if (!result.ok()) return result.status();
  if (result->affected_rows == 0) return absl::OkStatus();
  deleted += result->affected_rows;
  for (const models::DependentRows& dependent : shape_.dependents) {
    absl::StatusOr<sql::Result> gone =
        connection.Execute(absl::StrCat("DELETE FROM ", dependent.table, " WHERE ",
                                        dependent.column, " IN (", Marks(ids.size()), ")"),
                           ids);
    if (!gone.ok()) return gone.status();
  }
  return absl::OkStatus();
}

absl::Status TableAccess::Delete(int64_t id) {
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    uint64_t deleted = 0;
    if (absl::Status gone = DeleteIds(connection, {id}, deleted); !gone.ok()) return gone;
    return deleted == 0 ? NotFound() : absl::OkStatus();
  });
  return done.ok() ? done : Context(done, "deleting");
}

absl::StatusOr<uint64_t> TableAccess::DeleteWhere(const std::vector<Predicate>& where,
                                                  uint64_t limit) {
  const absl::StatusOr<Clause> clause = Where(where);
  if (!clause.ok()) return clause.status();
  if (limit == 0 || limit > kMaxPageSize)
    return Invalid(absl::StrCat("the limit is ", limit, "; it must be from 1 to ", kMaxPageSize));
  std::vector<Value> parameters = clause->parameters;
  parameters.emplace_back(static_cast<int64_t>(limit));
  uint64_t deleted = 0;
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    deleted = 0;
    const std::string& id = shape_.columns[0].name;
    absl::StatusOr<sql::Result> found =
        connection.Execute(absl::StrCat("SELECT ", id, " FROM ", shape_.name, clause->text,
                                        " ORDER BY ", id, " LIMIT ?"),
                           parameters);
    if (!found.ok()) return found.status();
    for (size_t begin = 0; begin < found->rows.size(); begin += kMaxAnyOf) {
      std::vector<Value> ids;
      for (size_t i = begin; i < std::min(begin + kMaxAnyOf, found->rows.size()); ++i)
        ids.push_back(found->rows[i].at(0));
      if (absl::Status gone = DeleteIds(connection, ids, deleted); !gone.ok()) return gone;
    }
    return absl::OkStatus();
  });
  if (!done.ok()) return Context(done, "deleting");
  return deleted;
}

absl::Status TableAccess::Context(const absl::Status& status, std::string_view doing) const {
  return common::status::Annotate(status, absl::StrCat(Sv(doing), " ", shape_.name));
}

absl::Status TableAccess::NotFound() const {
  return common::status::MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                                    absl::StrCat("there is no such ", shape_.name));
}

}  // namespace dragonfly::manager::store
