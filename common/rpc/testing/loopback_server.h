#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/rpc/server.h"

namespace dragonfly::common::rpc::testing {

// A server on 127.0.0.1 that a test may stop and start again on the port it got from the kernel.
// Stop, or the destructor, ends all calls at once. Not copyable; one thread at a time.
class LoopbackServer {
 public:
  LoopbackServer() = default;
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  ~LoopbackServer() { Stop(); }

  // `service` must outlive what is started. A failure is a failure of the test.
  void Start(::grpc::Service& service);
  void Stop();
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  std::unique_ptr<Server> server_;
  uint16_t port_ = 0;
};

}  // namespace dragonfly::common::rpc::testing
