#include "manager/store/sql/mysql_session.h"

#include <cppconn/datatype.h>
#include <cppconn/exception.h>
#include <cppconn/parameter_metadata.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>
#include <cppconn/resultset_metadata.h>
#include <cppconn/statement.h>
#include <mysql_connection.h>
#include <mysql_driver.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/sql/engine_connection.h"
#include "manager/store/sql/mysql_errors.h"

namespace dragonfly::manager::store::sql {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;

// The library keeps data for each thread that calls it.
::sql::mysql::MySQL_Driver* Driver() {
  static std::mutex mutex;  // the library makes its one instance without a lock
  ::sql::mysql::MySQL_Driver* driver = nullptr;
  {
    const std::lock_guard lock(mutex);
    driver = ::sql::mysql::get_mysql_driver_instance();
  }
  struct OfThread {
    explicit OfThread(::sql::mysql::MySQL_Driver* its) : driver(its) { driver->threadInit(); }
    ~OfThread() { driver->threadEnd(); }
    ::sql::mysql::MySQL_Driver* driver;
  };
  thread_local const OfThread of_thread(driver);
  return driver;
}

// Runs `call`, which talks to the library, and turns what it throws into a status.
template <typename Call>
auto Guarded(std::string_view doing, const Call& call) -> decltype(call()) {
  try {
    Driver();
    return call();
  } catch (const ::sql::SQLException& error) {
    return StatusOfMysql(error.getErrorCode(), error.what(), doing);
  } catch (const std::bad_alloc&) {
    return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOverloaded,
                      absl::StrCat("mysql: ", Sv(doing), ": out of memory"));
  } catch (const std::exception& error) {
    return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kInternal,
                      absl::StrCat("mysql: ", Sv(doing), ": ", error.what()));
  }
}

// "2026-01-02 03:04:05.678", whatever precision the column has.
std::string WithMilliseconds(std::string text) {
  constexpr size_t kSeconds = 19;  // length of "YYYY-MM-DD HH:MM:SS"
  if (text.size() < kSeconds) return text;
  if (text.size() == kSeconds) return text + ".000";
  text.append("000");
  text.resize(kSeconds + 4);
  return text;
}

Value ValueOf(::sql::ResultSet& rows, uint32_t column, int type) {
  if (rows.isNull(column)) return std::monostate();
  switch (type) {
    case ::sql::DataType::BIT:
    case ::sql::DataType::TINYINT:
    case ::sql::DataType::SMALLINT:
    case ::sql::DataType::MEDIUMINT:
    case ::sql::DataType::INTEGER:
    case ::sql::DataType::BIGINT:
    case ::sql::DataType::YEAR:
      return int64_t{rows.getInt64(column)};
    case ::sql::DataType::REAL:
    case ::sql::DataType::DOUBLE:
      return static_cast<double>(rows.getDouble(column));
    case ::sql::DataType::TIMESTAMP:
      return WithMilliseconds(rows.getString(column).asStdString());
    case ::sql::DataType::BINARY:
    case ::sql::DataType::VARBINARY:
    case ::sql::DataType::LONGVARBINARY:
      return Blob{rows.getString(column).asStdString()};
    default:
      return rows.getString(column).asStdString();
  }
}

// What a statement needs until it has run.
struct Prepared {
  std::unique_ptr<::sql::PreparedStatement> statement;
  size_t parameters = 0;
};

class MysqlSession final : public EngineConnection {
 public:
  explicit MysqlSession(std::unique_ptr<::sql::Connection> connection)
      : connection_(std::move(connection)) {}
  // The server may be gone: what the library says about that interests nobody.
  ~MysqlSession() override {
    Guarded("closing", [this]() -> absl::Status {
      prepared_.clear();
      connection_.reset();
      return absl::OkStatus();
    }).IgnoreError();
  }

  // For statements without parameters that the prepared protocol does not know.
  absl::Status Plain(std::string_view text) {
    return Guarded("executing", [this, text]() -> absl::Status {
      const std::unique_ptr<::sql::Statement> statement(connection_->createStatement());
      statement->execute(std::string(text));
      return absl::OkStatus();
    });
  }
  absl::StatusOr<bool> IsEncrypted() {
    absl::StatusOr<Result> cipher = RunStatement("SHOW SESSION STATUS LIKE 'Ssl_cipher'", {});
    if (!cipher.ok()) return cipher.status();
    if (cipher->rows.size() != 1 || cipher->rows[0].size() != 2) return false;
    const auto* name = std::get_if<std::string>(&cipher->rows[0][1]);
    return name != nullptr && !name->empty();
  }

 protected:
  absl::StatusOr<Result> RunStatement(std::string_view text,
                                      std::span<const Value> parameters) override {
    return Guarded("executing", [&]() -> absl::StatusOr<Result> {
      absl::StatusOr<Prepared*> prepared = Prepare(text);
      if (!prepared.ok()) return prepared.status();
      if ((*prepared)->parameters != parameters.size()) {
        return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                          absl::StrCat("mysql: the statement has ", (*prepared)->parameters,
                                       " parameters, not ", parameters.size()));
      }
      return RunPrepared(text, *(*prepared)->statement, parameters);
    });
  }
  absl::Status RunBegin() override { return Plain("START TRANSACTION"); }
  absl::Status RunCommit() override { return Plain("COMMIT"); }
  absl::Status RunRollback() override { return Plain("ROLLBACK"); }

 private:
  absl::StatusOr<Prepared*> Prepare(std::string_view text) {
    const auto known = prepared_.find(text);
    if (known != prepared_.end()) return &known->second;
    // The server's share of memory for them is bounded too; which of them goes does not matter.
    if (prepared_.size() >= kMaxPrepared) prepared_.clear();
    Prepared made;
    made.statement.reset(connection_->prepareStatement(std::string(text)));
    made.parameters =
        static_cast<size_t>(made.statement->getParameterMetaData()->getParameterCount());
    return &prepared_.emplace(std::string(text), std::move(made)).first->second;
  }

  absl::StatusOr<Result> RunPrepared(std::string_view text, ::sql::PreparedStatement& statement,
                                     std::span<const Value> parameters) {
    std::vector<std::unique_ptr<std::istringstream>> blobs;  // read while the statement runs
    for (size_t i = 0; i < parameters.size(); ++i)
      Bind(statement, static_cast<unsigned>(i + 1), parameters[i], blobs);
    Result result;
    const absl::string_view verb = absl::StripLeadingAsciiWhitespace(Sv(text));
    const bool inserts = absl::StartsWithIgnoreCase(verb, "INSERT ");
    // The library counts what a statement changed only for those who say beforehand that it does.
    if (inserts || absl::StartsWithIgnoreCase(verb, "UPDATE ") ||
        absl::StartsWithIgnoreCase(verb, "DELETE ")) {
      result.affected_rows = static_cast<uint64_t>(statement.executeUpdate());
    } else if (statement.execute()) {
      const std::unique_ptr<::sql::ResultSet> rows(statement.getResultSet());
      ReadRows(*rows, result);
    }
    if (inserts) {
      absl::StatusOr<int64_t> id = TakeInsertId();
      if (!id.ok()) return id.status();
      result.last_insert_id = *id;
    }
    return result;
  }

  static void Bind(::sql::PreparedStatement& statement, unsigned place, const Value& value,
                   std::vector<std::unique_ptr<std::istringstream>>& blobs) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      statement.setInt64(place, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      statement.setDouble(place, *real);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      statement.setString(place, *text);
    } else if (const auto* blob = std::get_if<Blob>(&value)) {
      blobs.push_back(std::make_unique<std::istringstream>(blob->bytes));
      statement.setBlob(place, blobs.back().get());
    } else {
      statement.setNull(place, ::sql::DataType::SQLNULL);
    }
  }

  static void ReadRows(::sql::ResultSet& rows, Result& result) {
    ::sql::ResultSetMetaData* const shape = rows.getMetaData();
    const unsigned columns = shape->getColumnCount();
    std::vector<int> types;
    for (unsigned i = 1; i <= columns; ++i) {
      result.columns.push_back(shape->getColumnLabel(i).asStdString());
      types.push_back(shape->getColumnType(i));
    }
    while (rows.next()) {
      std::vector<Value>& row = result.rows.emplace_back();
      for (unsigned i = 1; i <= columns; ++i) row.push_back(ValueOf(rows, i, types[i - 1]));
    }
  }

  // The server remembers the last key that it made in a session, not that of a statement: taken
  // and forgotten at once, so that an insert that made none does not find an older one.
  absl::StatusOr<int64_t> TakeInsertId() {
    absl::StatusOr<Prepared*> prepared = Prepare("SELECT LAST_INSERT_ID(), LAST_INSERT_ID(0)");
    if (!prepared.ok()) return prepared.status();
    const std::unique_ptr<::sql::ResultSet> rows((*prepared)->statement->executeQuery());
    return rows->next() ? int64_t{rows->getInt64(1)} : 0;
  }

  static constexpr size_t kMaxPrepared = 128;

  std::unique_ptr<::sql::Connection> connection_;
  std::map<std::string, Prepared, std::less<>> prepared_;  // by text; they end before connection_
};

int Seconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Seconds(absl::Ceil(duration, absl::Seconds(1))));
}

::sql::ConnectOptionsMap OptionsOf(const MysqlOptions& options) {
  ::sql::ConnectOptionsMap map;
  const bool v6 = options.host.find(':') != std::string::npos;
  map["hostName"] = ::sql::SQLString(
      options.unix_socket.empty()
          ? absl::StrCat("tcp://", v6 ? "[" : "", options.host, v6 ? "]" : "", ":", options.port)
          : absl::StrCat("unix://", options.unix_socket));
  map["userName"] = ::sql::SQLString(options.user);
  map["password"] = ::sql::SQLString(options.password);
  map["schema"] = ::sql::SQLString(options.database);
  map["OPT_CONNECT_TIMEOUT"] = Seconds(options.connect_timeout);
  map["OPT_READ_TIMEOUT"] = Seconds(options.read_timeout);
  map["OPT_WRITE_TIMEOUT"] = Seconds(options.write_timeout);
  map["OPT_CHARSET_NAME"] = ::sql::SQLString("utf8mb4");
  // A server must not be able to ask for our files.
  map["OPT_LOCAL_INFILE"] = 0;
  map["CLIENT_FOUND_ROWS"] = true;
  if (options.tls.enabled) {
    map["sslEnforce"] = true;
    map["sslVerify"] = options.tls.verify;
    if (!options.tls.ca_file.empty()) map["sslCA"] = ::sql::SQLString(options.tls.ca_file);
    if (!options.tls.certificate_file.empty()) {
      map["sslCert"] = ::sql::SQLString(options.tls.certificate_file);
      map["sslKey"] = ::sql::SQLString(options.tls.key_file);
    }
  }
  return map;
}

absl::Status SetUp(MysqlSession& session, const MysqlOptions& options) {
  if (options.tls.enabled) {
    // The library may go on without TLS when a server offers none.
    absl::StatusOr<bool> encrypted = session.IsEncrypted();
    if (!encrypted.ok()) return encrypted.status();
    if (!*encrypted) {
      return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kForbidden,
                        "mysql: the server does not speak TLS; enable it there, or set "
                        "tls.enabled to false");
    }
  }
  for (const std::string& text :
       {std::string("SET time_zone = '+00:00'"),
        std::string("SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"),
        std::string("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        absl::StrCat("SET innodb_lock_wait_timeout = ", Seconds(options.lock_timeout))}) {
    if (absl::Status set = session.Plain(text); !set.ok()) return set;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> OpenMysqlSession(const MysqlOptions& options) {
  const std::string where = options.unix_socket.empty()
                                ? absl::StrCat("'", options.host, ":", options.port, "'")
                                : absl::StrCat("'", options.unix_socket, "'");
  using Opened = absl::StatusOr<std::unique_ptr<MysqlSession>>;
  Opened session = Guarded(absl::StrCat("connecting to ", where), [&]() -> Opened {
    ::sql::ConnectOptionsMap map = OptionsOf(options);
    return std::make_unique<MysqlSession>(
        std::unique_ptr<::sql::Connection>(Driver()->connect(map)));
  });
  if (!session.ok()) return session.status();
  if (absl::Status set = SetUp(**session, options); !set.ok())
    return common::status::Annotate(set, absl::StrCat("setting up the session at ", where));
  return std::unique_ptr<Connection>(*std::move(session));
}

}  // namespace dragonfly::manager::store::sql
