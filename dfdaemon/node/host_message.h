#pragma once

#include "dfdaemon/node/node_identity.h"
#include "dfdaemon/node/sysinfo.h"

namespace common::v2 {
class Host;
}

namespace dragonfly::dfdaemon::node {

// Fills common.v2.Host as schedulers and peers expect it. Pure.
void FillHost(const NodeIdentity& identity, const PlatformFacts& platform, const HostSample& sample,
              ::common::v2::Host& host);

// What SyncHost tells: the network load only.
void FillHostLoad(const HostSample& sample, ::common::v2::Host& host);

}  // namespace dragonfly::dfdaemon::node
