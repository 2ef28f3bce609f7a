#include "common/rpc/peer.h"

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

void RememberCredentials(int fd, const PeerCredentials& credentials) {
  Table& table = TheTable();
  std::lock_guard lock(table.mutex);
  table.by_fd[fd] = credentials;
}

}  // namespace dragonfly::common::rpc
