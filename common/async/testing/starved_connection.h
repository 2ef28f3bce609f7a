#pragma once

#include <sys/resource.h>

#include <vector>

#include "common/net/endpoint.h"
#include "common/os/unique_fd.h"

namespace dragonfly::common::async::testing {

// A blocking connection to a listener of this process, made while the process has no descriptor
// left to accept it with. IPv4.
class StarvedConnection {
 public:
  // Takes all descriptors, then connects; ok() says whether both went well.
  explicit StarvedConnection(const net::Endpoint& to);
  StarvedConnection(const StarvedConnection&) = delete;
  StarvedConnection& operator=(const StarvedConnection&) = delete;
  ~StarvedConnection();

  bool ok() const { return ok_; }
  // Gives the descriptors back.
  void Relieve();
  const os::UniqueFd& fd() const { return client_; }

 private:
  os::UniqueFd client_;
  rlimit limit_{};
  std::vector<os::UniqueFd> fillers_;
  bool starved_ = false;
  bool ok_ = false;
};

}  // namespace dragonfly::common::async::testing
