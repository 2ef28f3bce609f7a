#include "common/async/testing/starved_connection.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace dragonfly::common::async::testing {

StarvedConnection::StarvedConnection(const net::Endpoint& to)
    : client_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (getrlimit(RLIMIT_NOFILE, &limit_) != 0) return;
  rlimit least = limit_;
  least.rlim_cur = static_cast<rlim_t>(client_.get()) + 1;
  if (setrlimit(RLIMIT_NOFILE, &least) != 0) return;
  starved_ = true;
  for (int fd = dup(0); fd >= 0; fd = dup(0)) fillers_.emplace_back(fd);

  sockaddr_in target{};
  target.sin_family = AF_INET;
  std::copy_n(to.ip.bytes().begin(), 4, reinterpret_cast<uint8_t*>(&target.sin_addr));
  target.sin_port = htons(to.port);
  ok_ = connect(client_.get(), reinterpret_cast<sockaddr*>(&target), sizeof(target)) == 0;
}

StarvedConnection::~StarvedConnection() { Relieve(); }

void StarvedConnection::Relieve() {
  fillers_.clear();
  if (starved_) ok_ = setrlimit(RLIMIT_NOFILE, &limit_) == 0 && ok_;
  starved_ = false;
}

}  // namespace dragonfly::common::async::testing
