#include "common/rpc/peer.h"

#include <algorithm>
#include <charconv>
#include <mutex>

#include "absl/container/flat_hash_map.h"

namespace dragonfly::common::rpc {
namespace {

// One entry for each descriptor number that ever was a connection: bounded by the descriptor limit.
struct Table {
  std::mutex mutex;  // guards by_fd
  absl::flat_hash_map<int, PeerCredentials> by_fd;
};

Table& TheTable() {
  static auto* const table = new Table();  // outlives the threads of gRPC
  return *table;
}

}  // namespace

std::optional<PeerCredentials> CredentialsOf(std::string_view peer) {
  constexpr std::string_view kPrefix = "fd:";
  if (!peer.starts_with(kPrefix)) return std::nullopt;
  peer.remove_prefix(kPrefix.size());
  int fd = -1;
  const auto [end, error] = std::from_chars(peer.data(), peer.data() + peer.size(), fd);
  if (error != std::errc() || end != peer.data() + peer.size()) return std::nullopt;
  Table& table = TheTable();
  std::lock_guard lock(table.mutex);
  const auto found = table.by_fd.find(fd);
  if (found == table.by_fd.end()) return std::nullopt;
  return found->second;
}

limit::Source SourceOf(std::string_view peer) {
  if (const auto credentials = CredentialsOf(peer)) return limit::Source::OfUser(credentials->uid);
  constexpr size_t kSchemeBytes = 5;  // "ipv4:", "ipv6:"
  peer.remove_prefix(std::min(kSchemeBytes, peer.size()));
  peer = peer.substr(0, peer.rfind(':'));
  // "[::1]", whose brackets gRPC escapes.
  for (const std::string_view open : {"[", "%5B"}) {
    if (peer.starts_with(open)) peer.remove_prefix(open.size());
  }
  for (const std::string_view close : {"]", "%5D"}) {
    if (peer.ends_with(close)) peer.remove_suffix(close.size());
  }
  const absl::StatusOr<net::IpAddress> ip = net::IpAddress::Parse(peer);
  return limit::Source::Of(ip.ok() ? *ip : net::IpAddress());
}

void RememberCredentials(int fd, const PeerCredentials& credentials) {
  Table& table = TheTable();
  std::lock_guard lock(table.mutex);
  table.by_fd[fd] = credentials;
}

}  // namespace dragonfly::common::rpc
