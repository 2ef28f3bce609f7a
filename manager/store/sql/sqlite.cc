#include "manager/store/sql/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/sql/engine_connection.h"

namespace dragonfly::manager::store::sql {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

absl::Status StatusOf(int code, sqlite3* database, std::string_view doing) {
  const std::string message =
      absl::StrCat("sqlite: ", common::status::Sv(doing), ": ",
                   database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  const int extended = database != nullptr ? sqlite3_extended_errcode(database) : code;
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
          extended == SQLITE_CONSTRAINT_ROWID) {
        return MakeStatus(absl::StatusCode::kAlreadyExists, ErrorReason::kConflict, message);
      }
      return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kConflict, message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return MakeStatus(absl::StatusCode::kAborted, ErrorReason::kConflict, message);
    case SQLITE_FULL:
      return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kNoSpace, message);
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kDiskFault, message);
    default:
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, message);
  }
}

int Bind(sqlite3_stmt* statement, int place, const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value))
    return sqlite3_bind_int64(statement, place, *number);
  if (const auto* real = std::get_if<double>(&value))
    return sqlite3_bind_double(statement, place, *real);
  if (const auto* text = std::get_if<std::string>(&value))
    return sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  if (const auto* blob = std::get_if<Blob>(&value))
    return blob->bytes.empty() ? sqlite3_bind_zeroblob(statement, place, 0)
                               : sqlite3_bind_blob64(statement, place, blob->bytes.data(),
                                                     blob->bytes.size(), SQLITE_TRANSIENT);
  return sqlite3_bind_null(statement, place);
}

std::string Bytes(const void* data, int size) {
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

Value Column(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      const void* text = sqlite3_column_text(statement, column);
      return Bytes(text, sqlite3_column_bytes(statement, column));
    }
    case SQLITE_BLOB: {
      const void* blob = sqlite3_column_blob(statement, column);
      return Blob{Bytes(blob, sqlite3_column_bytes(statement, column))};
    }
    default:
      return std::monostate();
  }
}

class SqliteConnection final : public EngineConnection {
 public:
  explicit SqliteConnection(Database database) : database_(std::move(database)) {}

  absl::Status Run(std::string_view text) { return RunStatement(text, {}).status(); }

 protected:
  absl::StatusOr<Result> RunStatement(std::string_view text,
                                      std::span<const Value> parameters) override {
    absl::StatusOr<Statement> statement = Prepare(text, parameters);
    if (!statement.ok()) return statement.status();
    Result result;
    const int columns = sqlite3_column_count(statement->get());
    for (int i = 0; i < columns; ++i)
      result.columns.emplace_back(sqlite3_column_name(statement->get(), i));
    const int64_t changes_before = sqlite3_total_changes64(database_.get());
    const int64_t id_before = sqlite3_last_insert_rowid(database_.get());
    sqlite3_set_last_insert_rowid(database_.get(), 0);
    int code = sqlite3_step(statement->get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement->get())) {
      std::vector<Value>& row = result.rows.emplace_back();
      for (int i = 0; i < columns; ++i) row.push_back(Column(statement->get(), i));
    }
    if (code != SQLITE_DONE) return StatusOf(code, database_.get(), "executing");
    if (sqlite3_total_changes64(database_.get()) != changes_before)
      result.affected_rows = static_cast<uint64_t>(sqlite3_changes64(database_.get()));
    result.last_insert_id = sqlite3_last_insert_rowid(database_.get());
    if (result.last_insert_id == 0) sqlite3_set_last_insert_rowid(database_.get(), id_before);
    return result;
  }

  // Takes the lock for writing at once: a transaction that reads first and writes later could
  // otherwise fail in its middle because another one was quicker.
  absl::Status RunBegin() override { return Run("BEGIN IMMEDIATE"); }
  absl::Status RunCommit() override { return Run("COMMIT"); }
  absl::Status RunRollback() override {
    // SQLite has rolled back by itself after some errors.
    if (sqlite3_get_autocommit(database_.get()) != 0) return absl::OkStatus();
    return Run("ROLLBACK");
  }

 private:
  absl::StatusOr<Statement> Prepare(std::string_view text, std::span<const Value> parameters) {
    if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
      return absl::InvalidArgumentError("sqlite: the statement is too long");
    sqlite3_stmt* raw = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), text.data(), static_cast<int>(text.size()),
                                        &raw, &rest);
    Statement statement(raw);
    if (code != SQLITE_OK) return StatusOf(code, database_.get(), "preparing");
    const std::string_view remaining(rest, static_cast<size_t>(text.data() + text.size() - rest));
    if (raw == nullptr || remaining.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                        "sqlite: exactly one statement at a time");
    }
    const int wanted = sqlite3_bind_parameter_count(raw);
    if (static_cast<size_t>(wanted) != parameters.size()) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                        absl::StrCat("sqlite: the statement has ", wanted, " parameters, not ",
                                     parameters.size()));
    }
    for (int i = 0; i < wanted; ++i) {
      const int bound = Bind(raw, i + 1, parameters[static_cast<size_t>(i)]);
      if (bound != SQLITE_OK) return StatusOf(bound, database_.get(), "binding");
    }
    return statement;
  }

  Database database_;
};

class SqliteDialect final : public Dialect {
 public:
  explicit SqliteDialect(SqliteOptions options) : options_(std::move(options)) {
    static std::atomic<uint64_t> count{0};
    name_in_memory_ = absl::StrCat("file:dragonfly-", ++count, "?mode=memory&cache=shared");
  }

  std::string_view name() const override { return "sqlite"; }

  absl::StatusOr<std::unique_ptr<Connection>> Connect() override {
    if (options_.path.empty()) {
      const std::lock_guard lock(mutex_);
      if (anchor_ == nullptr) {
        absl::StatusOr<Database> anchor = OpenDatabase();
        if (!anchor.ok()) return anchor.status();
        anchor_ = *std::move(anchor);
      }
    } else {
      // The files beside it get the mode of the database.
      const int made = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (made >= 0) ::close(made);
    }
    absl::StatusOr<Database> database = OpenDatabase();
    if (!database.ok()) return database.status();
    sqlite3_db_config(database->get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    auto connection = std::make_unique<SqliteConnection>(*std::move(database));
    const absl::Time deadline = absl::Now() + options_.busy_timeout;
    for (const char* pragma : {"PRAGMA foreign_keys = ON", "PRAGMA journal_mode = WAL",
                               "PRAGMA synchronous = FULL", "PRAGMA trusted_schema = OFF"}) {
      absl::Status set = connection->Run(pragma);
      // The change to a write-ahead log does not wait by itself for others that do the same.
      while (absl::IsAborted(set) && absl::Now() < deadline) {
        absl::SleepFor(absl::Milliseconds(2));
        set = connection->Run(pragma);
      }
      if (!set.ok()) return set;
    }
    return std::unique_ptr<Connection>(std::move(connection));
  }

  std::string GeneratedKey() const override { return "INTEGER PRIMARY KEY AUTOINCREMENT"; }
  std::string KeyReference() const override { return "BIGINT UNSIGNED"; }
  std::string Text(size_t max_characters) const override {
    return max_characters == kUnboundedText ? "TEXT"
                                            : absl::StrCat("VARCHAR(", max_characters, ")");
  }
  std::string Timestamp() const override { return "DATETIME"; }
  std::string TimestampSeconds() const override { return "TIMESTAMP"; }
  std::string TableOptions() const override { return ""; }
  std::string_view ColumnsQuery() const override { return "SELECT name FROM pragma_table_info(?)"; }
  std::string_view IndexesQuery() const override { return "SELECT name FROM pragma_index_list(?)"; }
  // A transaction for writing is the lock, and undoes the schema too.
  absl::Status LockSchema(Connection& connection, absl::Duration wait) override {
    const absl::Time deadline = absl::Now() + wait;
    absl::Status locked = connection.Begin();
    while (absl::IsAborted(locked) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(5));
      locked = connection.Begin();
    }
    return locked;
  }
  absl::Status UnlockSchema(Connection& connection, bool keep) override {
    return keep ? connection.Commit() : connection.Rollback();
  }
  std::string OnConflictUpdate(std::span<const std::string> key,
                               std::span<const std::string> columns) const override {
    std::vector<std::string> changes;
    for (const std::string& column : columns)
      changes.push_back(absl::StrCat(column, " = excluded.", column));
    return absl::StrCat(" ON CONFLICT (", absl::StrJoin(key.begin(), key.end(), ", "), ") DO ",
                        changes.empty()
                            ? std::string("NOTHING")
                            : absl::StrCat("UPDATE SET ", absl::StrJoin(changes, ", ")));
  }

 private:
  absl::StatusOr<Database> OpenDatabase() const {
    const bool in_memory = options_.path.empty();
    const std::string& path = in_memory ? name_in_memory_ : options_.path;
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_EXRESCODE | (in_memory ? SQLITE_OPEN_URI : 0);
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Database database(raw);
    if (code != SQLITE_OK) return StatusOf(code, raw, absl::StrCat("opening '", path, "'"));
    sqlite3_busy_timeout(raw, static_cast<int>(absl::ToInt64Milliseconds(options_.busy_timeout)));
    return database;
  }

  const SqliteOptions options_;
  std::string name_in_memory_;
  std::mutex mutex_;  // guards anchor_
  Database anchor_;   // never used: keeps a database in memory while nobody is connected
};

}  // namespace

std::unique_ptr<Dialect> MakeSqliteDialect(SqliteOptions options) {
  return std::make_unique<SqliteDialect>(std::move(options));
}

}  // namespace dragonfly::manager::store::sql
