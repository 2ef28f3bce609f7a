#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::sql {

// MySQL 5.7 and later, MariaDB 10.2 and later.
//
// A session of ours is set up the same way whatever the server's configuration says: UTC, strict
// (a value that does not fit is an error, never cut), SERIALIZABLE (what a transaction has read
// stays true until it commits; the price is an ABORTED now and then), utf8mb4. The database and
// its user must exist; the user needs CREATE, ALTER and INDEX to migrate.
//
// Text compares by the collation of its column, which is the server's default for tables that we
// create: usually without regard to case.
struct MysqlTlsOptions {
  bool enabled = false;          // enabled: a server without TLS is refused
  bool verify = true;            // the server's certificate and its name
  std::string ca_file;           // PEM; needed to verify
  std::string certificate_file;  // PEM, with key_file: ours, for a server that asks
  std::string key_file;
};
struct MysqlOptions {
  std::string host;  // name or address, v6 without brackets
  uint16_t port = 3306;
  std::string unix_socket;  // instead of host and port
  std::string user;
  std::string password;
  std::string database;
  MysqlTlsOptions tls;
  // Whole seconds, at least one. Between them they bound every call of a connection.
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration read_timeout = absl::Seconds(30);
  absl::Duration write_timeout = absl::Seconds(30);
  // A wait for another transaction's lock ends with ABORTED; shorter than read_timeout.
  absl::Duration lock_timeout = absl::Seconds(10);
};
// INVALID_ARGUMENT names the option that cannot be.
absl::StatusOr<std::unique_ptr<Dialect>> MakeMysqlDialect(MysqlOptions options);

}  // namespace dragonfly::manager::store::sql
