#include "common/limit/connection_keys.h"

namespace dragonfly::common::limit {
namespace {

constexpr size_t kMostConnections = 10'000'000;
constexpr uint64_t kMostPerSecond = 1'000'000'000;

}  // namespace

void AddConnectionKeys(config::Schema& schema, const std::string& section, ConnectionLimits& limits,
                       bool by_role) {
  schema.Number<size_t>(section + ".maxConnections", &limits.total, by_role ? 0 : 1,
                        kMostConnections,
                        by_role ? "connections at once, the newest are closed; 0: 4096, or 65536 "
                                  "of a seed peer"
                                : "connections at once; the newest are closed");
  schema.Number<size_t>(section + ".maxConnectionsPerSource", &limits.per_source, 1,
                        kMostConnections, "of them from one address of IPv4, or one /64 of IPv6");
  schema.Number<uint64_t>(section + ".newConnectionsPerSecond", &limits.new_per_second, 0,
                          kMostPerSecond, "fairly among sources; 0: no limit");
  schema.Number<uint64_t>(section + ".connectionBurst", &limits.burst, 1, kMostPerSecond,
                          "new connections at once after a pause");
}

}  // namespace dragonfly::common::limit
