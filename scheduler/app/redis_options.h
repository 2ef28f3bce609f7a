#pragma once

#include "absl/status/statusor.h"
#include "common/redis/client.h"
#include "scheduler/app/config.h"

namespace dragonfly::scheduler::app {

// What the configuration says of Redis, but for certificates. INVALID_ARGUMENT names the key.
absl::StatusOr<common::redis::Client::Options> RedisOptions(const RedisConfig& config);

}  // namespace dragonfly::scheduler::app
