#include "scheduler/app/redis_options.h"

#include "common/status/reason.h"

namespace dragonfly::scheduler::app {

absl::StatusOr<common::redis::Client::Options> RedisOptions(const RedisConfig& config) {
  common::redis::Client::Options options;
  for (const std::string& address : config.addrs) {
    absl::StatusOr<common::redis::HostPort> parsed = common::redis::ParseHostPort(address);
    if (!parsed.ok()) return common::status::Annotate(parsed.status(), "database.redis.addrs");
    options.addresses.push_back(*parsed);
  }
  options.master_name = config.master_name;
  options.login.username = config.username;
  options.login.password = config.password;
  options.sentinel_login.username = config.sentinel_username;
  options.sentinel_login.password = config.sentinel_password;
  options.pool_size = config.pool_size;
  options.pool_timeout = config.pool_timeout;
  absl::Status checked = common::redis::Client::Check(options);
  if (!checked.ok()) return common::status::Annotate(checked, "database.redis");
  return options;
}

}  // namespace dragonfly::scheduler::app
