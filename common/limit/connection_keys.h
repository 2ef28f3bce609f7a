#pragma once

#include <string>

#include "common/config/schema.h"
#include "common/limit/connection_budget.h"

namespace dragonfly::common::limit {

// Adds `<section>.maxConnections`, `.maxConnectionsPerSource`, `.newConnectionsPerSecond` and
// `.connectionBurst`, which the original has not. What `limits` has is the default; `limits` must
// outlive the schema. With `by_role`, maxConnections may be 0, for which the program has a value of
// its own.
void AddConnectionKeys(config::Schema& schema, const std::string& section, ConnectionLimits& limits,
                       bool by_role = false);

}  // namespace dragonfly::common::limit
