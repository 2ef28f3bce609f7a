#include "manager/store/migration.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/models/clusters.h"
#include "manager/store/models/joins.h"
#include "manager/store/models/nodes.h"
#include "manager/store/models/people.h"
#include "manager/store/models/records.h"

namespace dragonfly::manager::store {
namespace {

using common::status::Annotate;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;
using models::ColumnShape;
using models::ColumnType;
using models::KeyShape;
using models::TableShape;

std::vector<const TableShape*> AllTables() {
  return {&models::TableOf<models::SchedulerCluster>().shape(),
          &models::TableOf<models::SeedPeerCluster>().shape(),
          &models::TableOf<models::Scheduler>().shape(),
          &models::TableOf<models::SeedPeer>().shape(),
          &models::TableOf<models::Peer>().shape(),
          &models::TableOf<models::User>().shape(),
          &models::TableOf<models::Oauth>().shape(),
          &models::TableOf<models::PersonalAccessToken>().shape(),
          &models::TableOf<models::PolicyRule>().shape(),
          &models::TableOf<models::Config>().shape(),
          &models::TableOf<models::Application>().shape(),
          &models::TableOf<models::Job>().shape(),
          &models::TableOf<models::Audit>().shape(),
          &models::ShapeOf(models::Join::kSeedPeerClusterSchedulerCluster),
          &models::ShapeOf(models::Join::kJobSeedPeerCluster),
          &models::ShapeOf(models::Join::kJobSchedulerCluster),
          &models::SettingShape()};
}

constexpr const char* kNow = "CURRENT_TIMESTAMP";

std::string TypeOf(const sql::Dialect& dialect, const ColumnShape& column) {
  switch (column.type) {
    case ColumnType::kId:
      return dialect.GeneratedKey();
    case ColumnType::kReference:
      return dialect.KeyReference();
    case ColumnType::kInteger:
      return "INT";
    case ColumnType::kBoolean:
      return "BOOLEAN";
    case ColumnType::kText:
      return dialect.Text(column.max_characters);
    case ColumnType::kLongText:
    case ColumnType::kJson:
      return dialect.Text(sql::Dialect::kUnboundedText);
    case ColumnType::kTime:
      return dialect.Timestamp();
    case ColumnType::kTimeSeconds:
      break;
  }
  return dialect.TimestampSeconds();
}

// A column of a new table.
std::string DefinitionOf(const sql::Dialect& dialect, const ColumnShape& column) {
  std::string text = absl::StrCat(column.name, " ", TypeOf(dialect, column));
  if (column.type == ColumnType::kId) return text;
  absl::StrAppend(&text, column.nullable ? " NULL" : " NOT NULL");
  if (!column.default_value.empty()) absl::StrAppend(&text, " DEFAULT ", column.default_value);
  return text;
}

// A column of a table that has rows already: for them it has no value, so it may be NULL, which
// reads as the member's default. (A default that is no constant cannot be added everywhere.)
std::string AddedDefinitionOf(const sql::Dialect& dialect, const ColumnShape& column) {
  std::string text = absl::StrCat(column.name, " ", TypeOf(dialect, column), " NULL");
  if (!column.default_value.empty() && column.default_value != kNow)
    absl::StrAppend(&text, " DEFAULT ", column.default_value);
  return text;
}

std::string DeletedDefinition(const sql::Dialect& dialect) {
  return absl::StrCat(Sv(models::kDeletedColumn), " ", dialect.KeyReference(), " NULL DEFAULT 0");
}

std::string CreateTable(const sql::Dialect& dialect, const TableShape& table) {
  std::vector<std::string> parts;
  for (const ColumnShape& column : table.columns) parts.push_back(DefinitionOf(dialect, column));
  if (table.stamped) parts.push_back(DeletedDefinition(dialect));
  if (!table.primary_key.empty())
    parts.push_back(absl::StrCat("PRIMARY KEY (", absl::StrJoin(table.primary_key, ", "), ")"));
  return absl::StrCat("CREATE TABLE ", table.name, " (", absl::StrJoin(parts, ", "), ")",
                      dialect.TableOptions());
}

// One step towards the schema.
struct Change {
  std::string what;  // for people
  std::string statement;
  bool needed = true;  // false: without it things are only slower
};

absl::StatusOr<std::set<std::string>> NamesOf(sql::Connection& connection, std::string_view query,
                                              const std::string& table) {
  const std::vector<sql::Value> parameters = {table};
  absl::StatusOr<sql::Result> found = connection.Execute(query, parameters);
  if (!found.ok()) return found.status();
  std::set<std::string> names;
  for (const std::vector<sql::Value>& row : found->rows) {
    const auto* text = std::get_if<std::string>(&row.at(0));
    const auto* blob = std::get_if<sql::Blob>(&row.at(0));  // some servers name things in bytes
    if (text != nullptr) names.insert(*text);
    if (blob != nullptr) names.insert(blob->bytes);
  }
  return names;
}

absl::StatusOr<std::vector<Change>> ChangesOf(sql::Connection& connection,
                                              const sql::Dialect& dialect,
                                              const TableShape& table) {
  absl::StatusOr<std::set<std::string>> columns =
      NamesOf(connection, dialect.ColumnsQuery(), table.name);
  if (!columns.ok()) return columns.status();
  absl::StatusOr<std::set<std::string>> indexes =
      NamesOf(connection, dialect.IndexesQuery(), table.name);
  if (!indexes.ok()) return indexes.status();
  std::vector<Change> changes;
  if (columns->empty()) {
    changes.push_back({absl::StrCat("table ", table.name), CreateTable(dialect, table)});
  } else {
    for (const ColumnShape& column : table.columns) {
      if (columns->contains(column.name)) continue;
      changes.push_back({absl::StrCat("column ", table.name, ".", column.name),
                         absl::StrCat("ALTER TABLE ", table.name, " ADD COLUMN ",
                                      AddedDefinitionOf(dialect, column))});
    }
    if (table.stamped && !columns->contains(std::string(models::kDeletedColumn))) {
      changes.push_back(
          {absl::StrCat("column ", table.name, ".", Sv(models::kDeletedColumn)),
           absl::StrCat("ALTER TABLE ", table.name, " ADD COLUMN ", DeletedDefinition(dialect))});
    }
  }
  for (const KeyShape& key : table.keys) {
    if (indexes->contains(key.name)) continue;
    changes.push_back(
        {absl::StrCat(key.unique ? "unique key " : "index ", key.name, " of ", table.name),
         absl::StrCat("CREATE ", key.unique ? "UNIQUE " : "", "INDEX ", key.name, " ON ",
                      table.name, " (", absl::StrJoin(key.columns, ", "), ")"),
         key.unique});
  }
  return changes;
}

absl::Status MigrateTable(sql::Connection& connection, const sql::Dialect& dialect,
                          const TableShape& table) {
  absl::StatusOr<std::vector<Change>> changes = ChangesOf(connection, dialect, table);
  if (!changes.ok()) return changes.status();
  for (const Change& change : *changes) {
    const absl::Status made = connection.Execute(change.statement, {}).status();
    if (made.ok()) continue;
    // The original, which knows nothing of our lock, may have been quicker.
    absl::StatusOr<std::vector<Change>> left = ChangesOf(connection, dialect, table);
    if (!left.ok()) return left.status();
    for (const Change& missing : *left) {
      if (missing.what == change.what)
        return Annotate(made, absl::StrCat("making ", change.what, " in the database"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Migrate(sql::Connection& connection, sql::Dialect& dialect, absl::Duration wait) {
  if (absl::Status locked = dialect.LockSchema(connection, wait); !locked.ok())
    return Annotate(locked, "waiting to change the schema of the database");
  absl::Status status;
  for (const TableShape* table : AllTables()) {
    status = MigrateTable(connection, dialect, *table);
    if (!status.ok()) break;
  }
  const absl::Status unlocked = dialect.UnlockSchema(connection, status.ok());
  return status.ok() ? unlocked : status;
}

absl::Status CheckSchema(sql::Connection& connection, const sql::Dialect& dialect) {
  std::vector<std::string> missing;
  for (const TableShape* table : AllTables()) {
    absl::StatusOr<std::vector<Change>> changes = ChangesOf(connection, dialect, *table);
    if (!changes.ok()) return changes.status();
    for (const Change& change : *changes) {
      if (change.needed) missing.push_back(change.what);
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kInvalidArgument,
                    absl::StrCat("the database lacks ", absl::StrJoin(missing, ", "),
                                 "; start once with migrate: true, as a user who may change the "
                                 "schema"));
}

}  // namespace dragonfly::manager::store
