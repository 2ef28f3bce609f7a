#include "manager/app/config.h"

#include "common/crypto/tls_keys.h"
#include "common/limit/connection_keys.h"
#include "common/status/reason.h"

namespace dragonfly::manager::app {
namespace {

using common::config::Schema;
using common::status::ErrorReason;
using common::status::MakeStatus;

absl::Status Wrong(const std::string& message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument, message);
}

void AddGrpc(Schema& schema, GrpcConfig& grpc) {
  schema.Ip("server.grpc.listenIP", &grpc.listen_ip, "where gRPC listens; default: everywhere");
  schema.Port("server.grpc.port.start", &grpc.port_start,
              "its port; 0: the kernel chooses, the log says");
  schema.Port("server.grpc.port.end", &grpc.port_end,
              "the last port that is tried when those before it are taken");
  schema.Real("server.grpc.requestRateLimit", &grpc.request_rate_limit, 1, 1e9,
              "calls and new streams a second, fairly among callers; more are refused");
  common::limit::AddConnectionKeys(schema, "server.grpc", grpc.connections);
  common::crypto::AddTlsKeys(schema, "server.grpc.tls", grpc.tls, "those who call us");
  schema.Flag("server.grpc.verifyAnnouncedAddress", &grpc.verify_announced_address,
              "a caller's certificate has to name the member that it registers or keeps alive");
}

void AddRest(Schema& schema, Config& config) {
  RestConfig& rest = config.rest;
  schema.Text("server.rest.addr", &rest.addr, "REST API and console: address:port, or :port");
  schema.Text("server.rest.tls.cert", &rest.tls.cert, "PEM file of our certificate; HTTPS with it");
  schema.Text("server.rest.tls.key", &rest.tls.key, "PEM file of its key");
  schema.TextList("server.rest.allowedOrigins", &rest.allowed_origins,
                  "pages of other origins that may call with cookies: https://host");
  schema.TextList("server.rest.trustedProxies", &rest.trusted_proxies,
                  "addresses or prefixes whose X-Forwarded-For is believed");
  common::limit::AddConnectionKeys(schema, "server.rest", rest.connections);
  schema.Size("server.rest.maxHeldBodyBytes", &rest.max_held_body_bytes,
              "bytes of all bodies that are held at once; beyond it requests are answered 503");
  schema.Text("auth.jwt.realm", &config.jwt.realm, "named where somebody has to sign in");
  schema.Text("auth.jwt.key", &config.jwt.key,
              "key of sign-in tokens, 32 characters at least; default: one that is made at the "
              "first start and kept in the database");
  schema.Text("auth.jwt.keyFile", &config.jwt.key_file, "a file with that key instead");
  schema.Duration("auth.jwt.timeout", &config.jwt.timeout, absl::Minutes(1),
                  "what a sign-in lasts");
  schema.Duration("auth.jwt.maxRefresh", &config.jwt.max_refresh, absl::Seconds(1),
                  "how old a token may be that is exchanged for a new one");
  schema.Flag("auth.signUp", &config.sign_up, "everybody may make himself a guest account");
  schema.Check([&rest, &config]() -> absl::Status {
    if (rest.tls.cert.empty() != rest.tls.key.empty()) {
      return Wrong(
          "server.rest.tls: cert and key belong together; set both, or none for plaintext");
    }
    if (!config.jwt.key.empty() && !config.jwt.key_file.empty()) {
      return Wrong("auth.jwt: key and keyFile are both set; remove one of them");
    }
    if (config.grpc.port_end < config.grpc.port_start) {
      return Wrong("server.grpc.port.end " + std::to_string(config.grpc.port_end) +
                   ": is before server.grpc.port.start " + std::to_string(config.grpc.port_start));
    }
    return absl::OkStatus();
  });
}

void AddDatabase(Schema& schema, DatabaseConfig& database) {
  schema.Choice(
      "database.type", &database.type, {"", "sqlite", "mysql", "mariadb"},
      "default: mysql where database.mysql.host is set, else sqlite, which needs nothing");
  schema.Text("database.sqlite.path", &database.sqlite_path,
              "file of the embedded database; default: manager.db in /var/lib/dragonfly/manager, "
              "or in ~/.local/share/dragonfly/manager for who is not root");
  schema.Number<uint32_t>("database.connections", &database.connections, 1, 1024,
                          "connections to the database at once");
  MysqlConfig& mysql = database.mysql;
  schema.Text("database.mysql.user", &mysql.user, "user of the database");
  schema.Text("database.mysql.password", &mysql.password, "its password");
  schema.Text("database.mysql.host", &mysql.host, "name or address of the server");
  schema.Port("database.mysql.port", &mysql.port, "its port");
  schema.Text("database.mysql.dbname", &mysql.dbname, "name of the database, which has to exist");
  schema.Flag("database.mysql.migrate", &mysql.migrate,
              "make the tables and columns that are missing");
  schema.Choice("database.mysql.tlsConfig", &mysql.tls_config,
                {"", "true", "false", "skip-verify", "preferred"},
                "TLS to the server; preferred is the same as skip-verify");
  schema.Text("database.mysql.tls.caCert", &mysql.tls.ca_cert,
              "PEM file of the authority of the server");
  schema.Text("database.mysql.tls.cert", &mysql.tls.cert, "PEM file of our certificate");
  schema.Text("database.mysql.tls.key", &mysql.tls.key, "PEM file of its key");
  schema.Flag("database.mysql.tls.insecureSkipVerify", &mysql.insecure_skip_verify,
              "believe any server");
  schema.Refused("database.postgres", "PostgreSQL is not supported; use sqlite, mysql or mariadb");
  schema.Refused("database.polardb", "PolarDB-X is not supported; use sqlite, mysql or mariadb");
  schema.Check([&database, &mysql]() -> absl::Status {
    if (database.type != "mysql" && database.type != "mariadb" && mysql.host.empty()) {
      return absl::OkStatus();
    }
    if (mysql.host.empty()) return Wrong("database.mysql.host: missing; name the server");
    if (mysql.user.empty()) return Wrong("database.mysql.user: missing; name the user");
    if (mysql.tls.cert.empty() != mysql.tls.key.empty()) {
      return Wrong("database.mysql.tls: cert and key belong together; set both or none");
    }
    return absl::OkStatus();
  });
}

void AddIgnored(Schema& schema) {
  for (const char* key :
       {"pprofPort", "server.grpc.advertiseIP", "server.name", "server.pluginDir",
        "server.logMaxAge", "server.cacheDir", "server.workHome", "server.dataDir",
        "database.redis", "cache", "job", "metrics.enablePeerGauge", "verbose"}) {
    schema.Ignored(key, "of upstream's; has no effect in this version");
  }
}

}  // namespace

std::string Config::DatabaseType() const {
  if (!database.type.empty()) return database.type;
  return database.mysql.host.empty() ? "sqlite" : "mysql";
}

Schema MakeSchema(Config& config, bool strict) {
  Schema::Options options;
  options.strict = strict;
  options.ignore_case = true;
  Schema schema(options);
  common::program::AddLogKeys(schema, config.log);
  AddGrpc(schema, config.grpc);
  AddRest(schema, config);
  AddDatabase(schema, config.database);
  schema.Flag("metrics.enable", &config.metrics.enable,
              "serve /metrics and /healthy on a listener of their own");
  schema.Text("metrics.addr", &config.metrics.addr, "where: address:port, or :port");
  schema.Flag("network.enableIPv6", &config.enable_ipv6, "listen and advertise on IPv6");
  common::otlp::AddTracingKeys(schema, config.tracing, "manager");
  AddIgnored(schema);
  return schema;
}

}  // namespace dragonfly::manager::app
