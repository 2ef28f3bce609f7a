#pragma once

#include <cstdint>
#include <string>

#include "common/net/endpoint.h"

namespace dragonfly::dfdaemon::transfer::grpc::testing {

// A child that asks for a piece by HTTP/2 and lets the parent send nothing of it: its window is
// zero. The connection ends with this object.
class StuckChild {
 public:
  StuckChild(const common::net::Endpoint& parent, const std::string& task_id, uint32_t number);
  StuckChild(const StuckChild&) = delete;
  StuckChild& operator=(const StuckChild&) = delete;
  ~StuckChild();

 private:
  int fd_ = -1;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc::testing
