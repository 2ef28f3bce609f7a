#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "common/limit/source.h"

namespace dragonfly::common::rpc {

// Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED, taken at accept).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// The credentials behind ServerContext::peer(), which is "fd:<number>" for a connection of our unix
// socket; nothing for other peers. Any thread.
//
// gRPC knows such a connection by its descriptor only, so the table behind this is of the process,
// as descriptors are. Ask at the beginning of a call: the number is used again after the connection
// ended (not soon: the listener takes numbers in turn).
std::optional<PeerCredentials> CredentialsOf(std::string_view peer);

// The name of listeners of gRPC over TCP, as limits that are reached are told.
inline constexpr std::string_view kGrpcListener = "gRPC";

// Whom limits of requests count, of ServerContext::peer(): its address, or its user. 0.0.0.0 for
// what is neither.
limit::Source SourceOf(std::string_view peer);

// For the listener: a new connection took the place of whatever had this descriptor.
void RememberCredentials(int fd, const PeerCredentials& credentials);

}  // namespace dragonfly::common::rpc
