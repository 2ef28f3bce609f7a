#include "manager/store/testing/original_schema.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace dragonfly::manager::store::testing {
namespace {

// {id}: the key that the database makes. {time}: milliseconds. {base}: the columns that nearly all
// tables begin with.
constexpr const char* kBase =
    "id {id}, created_at {time} NULL, updated_at {time} NULL, is_del bigint unsigned NULL";

constexpr const char* kTables[] = {
    "CREATE TABLE user ({base}, email varchar(256) NOT NULL, name varchar(256) NOT NULL, "
    "encrypted_password varchar(1024), avatar varchar(256), phone varchar(256), "
    "private_token varchar(256), state varchar(256) DEFAULT 'enable', location varchar(256), "
    "bio varchar(256))",
    "CREATE TABLE oauth ({base}, name varchar(256) NOT NULL, bio varchar(1024), "
    "client_id varchar(256) NOT NULL, client_secret varchar(1024) NOT NULL, "
    "redirect_url varchar(1024))",
    "CREATE TABLE config ({base}, name varchar(256) NOT NULL, value varchar(1024) NOT NULL, "
    "bio varchar(1024), user_id bigint unsigned)",
    "CREATE TABLE application ({base}, name varchar(256) NOT NULL, url longtext NOT NULL, "
    "bio varchar(1024), priority longtext NOT NULL, user_id bigint unsigned)",
    "CREATE TABLE personal_access_token ({base}, name varchar(256) NOT NULL, bio varchar(1024), "
    "token varchar(256) NOT NULL, scopes longtext NOT NULL, "
    "state varchar(256) DEFAULT 'inactive', "
    "expired_at timestamp NOT NULL DEFAULT current_timestamp, user_id bigint unsigned)",
    "CREATE TABLE scheduler_cluster ({base}, name varchar(256) NOT NULL, bio varchar(1024), "
    "config longtext NOT NULL, client_config longtext NOT NULL, "
    "seed_client_config longtext NOT NULL, scopes longtext, "
    "is_default boolean NOT NULL DEFAULT false)",
    "CREATE TABLE scheduler ({base}, config longtext, host_name varchar(256) NOT NULL, "
    "idc varchar(1024), location varchar(1024), ip varchar(256) NOT NULL, port int NOT NULL, "
    "state varchar(256) DEFAULT 'inactive', features longtext, last_keep_alive_at {time} NULL, "
    "scheduler_cluster_id bigint unsigned NOT NULL)",
    "CREATE TABLE seed_peer_cluster ({base}, name varchar(256) NOT NULL, bio varchar(1024), "
    "config longtext NOT NULL)",
    "CREATE TABLE seed_peer ({base}, host_name varchar(256) NOT NULL, type varchar(256), "
    "idc varchar(1024), location varchar(1024), ip varchar(256) NOT NULL, port int NOT NULL, "
    "download_port int NOT NULL, object_storage_port int, "
    "state varchar(256) DEFAULT 'inactive', seed_peer_cluster_id bigint unsigned NOT NULL)",
    "CREATE TABLE peer ({base}, host_name varchar(256) NOT NULL, type varchar(256), "
    "idc varchar(1024), location varchar(1024), ip varchar(256) NOT NULL, port int NOT NULL, "
    "download_port int NOT NULL, object_storage_port int, proxy_port int NOT NULL, "
    "state varchar(256) DEFAULT 'inactive', os varchar(256), platform varchar(256), "
    "platform_family varchar(256), platform_version varchar(256), kernel_version varchar(256), "
    "git_version varchar(256), git_commit varchar(256), build_platform varchar(256), "
    "scheduler_cluster_id bigint unsigned NOT NULL)",
    "CREATE TABLE job ({base}, task_id varchar(256) NOT NULL, bio varchar(1024), "
    "type varchar(256), state varchar(256) NOT NULL DEFAULT 'PENDING', args longtext NOT NULL, "
    "task_result longtext, user_id bigint unsigned)",
    "CREATE TABLE audit ({base}, actor_type varchar(256) NOT NULL, "
    "actor_name varchar(256) NOT NULL, event_type varchar(100) NOT NULL, "
    "operation varchar(256) NOT NULL, operated_at timestamp DEFAULT current_timestamp, "
    "state varchar(100) NOT NULL, path varchar(1024), status_code int, detail longtext)",
    "CREATE TABLE casbin_rule (id {id}, ptype varchar(100), v0 varchar(100), v1 varchar(100), "
    "v2 varchar(100), v3 varchar(100), v4 varchar(100), v5 varchar(100))",
    "CREATE TABLE seed_peer_cluster_scheduler_cluster (seed_peer_cluster_id bigint unsigned "
    "NOT NULL, scheduler_cluster_id bigint unsigned NOT NULL, "
    "PRIMARY KEY (seed_peer_cluster_id, scheduler_cluster_id))",
    "CREATE TABLE job_seed_peer_cluster (job_id bigint unsigned NOT NULL, "
    "seed_peer_cluster_id bigint unsigned NOT NULL, PRIMARY KEY (job_id, seed_peer_cluster_id))",
    "CREATE TABLE job_scheduler_cluster (job_id bigint unsigned NOT NULL, "
    "scheduler_cluster_id bigint unsigned NOT NULL, PRIMARY KEY (job_id, scheduler_cluster_id))",
    "CREATE UNIQUE INDEX uk_user_email ON user (email)",
    "CREATE UNIQUE INDEX uk_user_name ON user (name)",
    "CREATE UNIQUE INDEX uk_oauth2_name ON oauth (name)",
    "CREATE UNIQUE INDEX uk_oauth2_client_id ON oauth (client_id)",
    "CREATE UNIQUE INDEX uk_config_name ON config (name)",
    "CREATE UNIQUE INDEX uk_application_name ON application (name)",
    "CREATE UNIQUE INDEX uk_personal_access_token_name ON personal_access_token (name)",
    "CREATE UNIQUE INDEX uk_personal_access_token ON personal_access_token (token)",
    "CREATE UNIQUE INDEX uk_scheduler_cluster_name ON scheduler_cluster (name)",
    "CREATE UNIQUE INDEX uk_scheduler ON scheduler (host_name, ip, scheduler_cluster_id)",
    "CREATE UNIQUE INDEX uk_seed_peer_cluster_name ON seed_peer_cluster (name)",
    "CREATE UNIQUE INDEX uk_seed_peer ON seed_peer (host_name, ip, seed_peer_cluster_id)",
    "CREATE UNIQUE INDEX uk_peer ON peer (host_name, ip, scheduler_cluster_id)",
    "CREATE INDEX idx_peer_type ON peer (type)",
    "CREATE INDEX idx_peer_git_version ON peer (git_version)",
    "CREATE INDEX idx_peer_git_commit ON peer (git_commit)",
};

}  // namespace

std::vector<std::string> OriginalSchema(const sql::Dialect& dialect) {
  std::vector<std::string> statements;
  for (const char* table : kTables) {
    statements.push_back(
        absl::StrReplaceAll(absl::StrReplaceAll(table, {{"{base}", kBase}}),
                            {{"{id}", dialect.GeneratedKey()}, {"{time}", dialect.Timestamp()}}));
  }
  return statements;
}

std::vector<std::string> OriginalRows() {
  const std::string stamps = "'2025-03-04 05:06:07.890', '2025-03-05 05:06:07.890', 0";
  return {
      absl::StrCat("INSERT INTO scheduler_cluster (id, created_at, updated_at, is_del, name, bio, "
                   "config, client_config, seed_client_config, scopes, is_default) VALUES (3, ",
                   stamps,
                   ", 'theirs', '', '{\"candidate_parent_limit\":4}', '{\"load_limit\":51}', '{}', "
                   "'{\"idc\":\"a|b\"}', 1)"),
      absl::StrCat("INSERT INTO seed_peer_cluster (id, created_at, updated_at, is_del, name, bio, "
                   "config) VALUES (4, ",
                   stamps, ", 'theirs', '', '{\"load_limit\":99}')"),
      "INSERT INTO seed_peer_cluster_scheduler_cluster VALUES (4, 3)",
      absl::StrCat("INSERT INTO scheduler (id, created_at, updated_at, is_del, config, host_name, "
                   "idc, location, ip, port, state, features, last_keep_alive_at, "
                   "scheduler_cluster_id) VALUES (5, ",
                   stamps, ", NULL, 'host', '', '', '10.0.0.1', 8002, 'active', NULL, NULL, 3)"),
      absl::StrCat("INSERT INTO user (id, created_at, updated_at, is_del, email, name, "
                   "encrypted_password, state) VALUES (1, ",
                   stamps, ", 'root@console.com', 'root', '$2a$10$x', 'enable')"),
      absl::StrCat("INSERT INTO config (created_at, updated_at, is_del, name, value, bio, user_id) "
                   "VALUES (",
                   stamps, ", 'gc', '{\"audit\":{\"ttl\":1},\"job\":{\"ttl\":2}}', NULL, NULL)"),
      absl::StrCat("INSERT INTO personal_access_token (created_at, updated_at, is_del, name, bio, "
                   "token, scopes, state, expired_at, user_id) VALUES (",
                   stamps, ", 'ci', '', 'clear', '[\"job\"]', 'active', '2035-01-02 03:04:05', 1)"),
      absl::StrCat("INSERT INTO audit (created_at, updated_at, is_del, actor_type, actor_name, "
                   "event_type, operation, state, path, status_code, detail) VALUES (",
                   stamps, ", 'USER', 'root', 'API', 'GET', 'SUCCESS', '/', 200, '{}')"),
      "INSERT INTO casbin_rule (ptype, v0, v1, v2) VALUES ('p', 'root', 'users', '*')",
  };
}

}  // namespace dragonfly::manager::store::testing
