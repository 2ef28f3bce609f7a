#include "manager/store/sql/mysql.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/sql/mysql_session.h"

namespace dragonfly::manager::store::sql {
namespace {

using common::status::Sv;

// A lock of the server, by database: two databases of one server are migrated independently.
constexpr std::string_view kSchemaLock = "CONCAT('dragonfly.', SHA1(DATABASE()))";

absl::Status Invalid(std::string_view what) {
  return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                    common::status::ErrorReason::kInvalidArgument,
                                    absl::StrCat("mysql: ", Sv(what)));
}

class MysqlDialect final : public Dialect {
 public:
  explicit MysqlDialect(MysqlOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "mysql"; }
  absl::StatusOr<std::unique_ptr<Connection>> Connect() override {
    return OpenMysqlSession(options_);
  }

  std::string GeneratedKey() const override {
    return "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";
  }
  std::string KeyReference() const override { return "BIGINT UNSIGNED"; }
  // An index over a longer VARCHAR than this would be refused; LONGTEXT has no limit of use.
  std::string Text(size_t max_characters) const override {
    return max_characters <= kMaxVarchar ? absl::StrCat("VARCHAR(", max_characters, ")")
                                         : "LONGTEXT";
  }
  std::string Timestamp() const override { return "DATETIME(3)"; }
  std::string TimestampSeconds() const override { return "TIMESTAMP"; }
  std::string TableOptions() const override { return " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"; }
  std::string_view ColumnsQuery() const override {
    return "SELECT column_name FROM information_schema.columns "
           "WHERE table_schema = DATABASE() AND table_name = ?";
  }
  std::string_view IndexesQuery() const override {
    return "SELECT DISTINCT index_name FROM information_schema.statistics "
           "WHERE table_schema = DATABASE() AND table_name = ?";
  }

  absl::Status LockSchema(Connection& connection, absl::Duration wait) override {
    // In parts: a longer wait than read_timeout would look like a lost connection.
    const absl::Time deadline = absl::Now() + wait;
    do {
      const absl::Duration part = std::min(deadline - absl::Now(), options_.read_timeout / 2);
      const std::vector<Value> seconds = {
          std::max<int64_t>(0, absl::ToInt64Seconds(absl::Floor(part, absl::Seconds(1))))};
      absl::StatusOr<Result> locked =
          connection.Execute(absl::StrCat("SELECT GET_LOCK(", Sv(kSchemaLock), ", ?)"), seconds);
      if (!locked.ok()) return locked.status();
      if (locked->rows.size() == 1 && locked->rows[0].at(0) == Value(int64_t{1}))
        return absl::OkStatus();
    } while (absl::Now() < deadline);
    return common::status::MakeStatus(
        absl::StatusCode::kAborted, common::status::ErrorReason::kConflict,
        absl::StrCat("mysql: another process has been changing the schema for ",
                     absl::FormatDuration(wait), "; try again when it is done"));
  }
  absl::Status UnlockSchema(Connection& connection, bool /*keep*/) override {
    return connection.Execute(absl::StrCat("SELECT RELEASE_LOCK(", Sv(kSchemaLock), ")"), {})
        .status();
  }

  std::string OnConflictUpdate(std::span<const std::string> key,
                               std::span<const std::string> columns) const override {
    std::vector<std::string> changes;
    for (const std::string& column : columns)
      changes.push_back(absl::StrCat(column, " = VALUES(", column, ")"));
    // A column that is set to itself changes nothing.
    if (changes.empty()) changes.push_back(absl::StrCat(key[0], " = ", key[0]));
    return absl::StrCat(" ON DUPLICATE KEY UPDATE ", absl::StrJoin(changes, ", "));
  }

 private:
  static constexpr size_t kMaxVarchar = 16383;  // 65,535 bytes of a row at four bytes a character

  const MysqlOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dialect>> MakeMysqlDialect(MysqlOptions options) {
  if (options.unix_socket.empty()) {
    if (options.host.empty()) return Invalid("host is empty; name the server");
    // The library reads a host as part of a URL.
    if (options.host.find_first_of("/?#@[] \t\r\n") != std::string::npos)
      return Invalid(absl::StrCat("host '", options.host, "' is not a name or an address"));
    if (options.port == 0) return Invalid("port is 0; it is 3306 unless the server says otherwise");
  }
  if (options.user.empty()) return Invalid("user is empty");
  if (options.database.empty()) return Invalid("database is empty; name one that exists");
  if (options.database.find_first_of("/`\\") != std::string::npos)
    return Invalid(absl::StrCat("database '", options.database, "' has a character of /`\\"));
  for (const auto& [name, value] :
       std::map<std::string, absl::Duration>{{"connect_timeout", options.connect_timeout},
                                             {"read_timeout", options.read_timeout},
                                             {"write_timeout", options.write_timeout},
                                             {"lock_timeout", options.lock_timeout}}) {
    if (value <= absl::ZeroDuration() || value > absl::Hours(1))
      return Invalid(absl::StrCat(name, " is ", absl::FormatDuration(value),
                                  "; it must be over 0 and at most 1h"));
  }
  if (options.lock_timeout >= options.read_timeout)
    return Invalid("lock_timeout must be shorter than read_timeout");
  if (options.tls.enabled && options.tls.verify && options.tls.ca_file.empty())
    return Invalid("tls.ca_file is empty; name the CA, or set tls.verify to false");
  if (options.tls.certificate_file.empty() != options.tls.key_file.empty())
    return Invalid("tls.certificate_file and tls.key_file go together");
  return std::make_unique<MysqlDialect>(std::move(options));
}

}  // namespace dragonfly::manager::store::sql
