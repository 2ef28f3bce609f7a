#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::net {

// Every address of every interface that is up, loopback included.
absl::StatusOr<std::vector<IpAddress>> LocalAddresses();

// The address to announce when the configuration names none: the one that packets to the outside
// would carry, else the first of `addresses` that other hosts could reach, else loopback. Of the
// wanted family if there is one. Sends nothing.
IpAddress AdvertisedAddress(std::span<const IpAddress> addresses, bool prefer_v6);

// The second rule alone: without asking the routing table.
IpAddress ChooseAddress(std::span<const IpAddress> addresses, bool prefer_v6);

}  // namespace dragonfly::common::net
