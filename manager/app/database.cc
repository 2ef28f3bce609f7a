#include "manager/app/database.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "common/log/log.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "manager/store/sql/mysql.h"
#include "manager/store/sql/sqlite.h"

namespace dragonfly::manager::app {
namespace {

namespace log = common::log;
using store::sql::Dialect;

std::string DefaultPath() {
  const char* const home = std::getenv("HOME");
  if (geteuid() == 0 || home == nullptr || *home == '\0') {
    return "/var/lib/dragonfly/manager/manager.db";
  }
  return std::string(home) + "/.local/share/dragonfly/manager/manager.db";
}

absl::StatusOr<std::unique_ptr<Dialect>> MakeSqlite(const DatabaseConfig& config) {
  store::sql::SqliteOptions options;
  options.path = config.sqlite_path.empty() ? DefaultPath() : config.sqlite_path;
  const size_t slash = options.path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    absl::Status made = common::os::PosixEnv().SafeMkdir(options.path.substr(0, slash), 0700);
    if (!made.ok()) return common::status::Annotate(made, "database.sqlite.path");
  }
  log::Info("embedded database", log::kv("path", options.path));
  return store::sql::MakeSqliteDialect(std::move(options));
}

absl::StatusOr<std::unique_ptr<Dialect>> MakeMysql(const MysqlConfig& config) {
  store::sql::MysqlOptions options;
  options.host = config.host;
  options.port = config.port;
  options.user = config.user;
  options.password = config.password;
  options.database = config.dbname;
  options.tls.ca_file = config.tls.ca_cert;
  options.tls.certificate_file = config.tls.cert;
  options.tls.key_file = config.tls.key;
  options.tls.enabled = config.tls.set() || config.insecure_skip_verify ||
                        (!config.tls_config.empty() && config.tls_config != "false");
  options.tls.verify = !config.insecure_skip_verify && config.tls_config != "skip-verify" &&
                       config.tls_config != "preferred";
  log::Info("database", log::kv("host", config.host), log::kv("port", config.port),
            log::kv("name", config.dbname));
  auto made = store::sql::MakeMysqlDialect(std::move(options));
  if (!made.ok()) return common::status::Annotate(made.status(), "database.mysql");
  return made;
}

}  // namespace

absl::StatusOr<std::unique_ptr<store::Store>> OpenDatabase(const Config& config) {
  const bool embedded = config.DatabaseType() == "sqlite";
  absl::StatusOr<std::unique_ptr<Dialect>> dialect =
      embedded ? MakeSqlite(config.database) : MakeMysql(config.database.mysql);
  if (!dialect.ok()) return dialect.status();
  store::StoreOptions options;
  options.pool.connections = config.database.connections;
  options.migrate = embedded || config.database.mysql.migrate;
  auto opened = store::Store::Open(*std::move(dialect), std::move(options));
  if (!opened.ok()) {
    return common::status::Annotate(opened.status(),
                                    embedded ? "database.sqlite.path" : "database.mysql");
  }
  return opened;
}

}  // namespace dragonfly::manager::app
