#include "common/rpc/testing/loopback_server.h"

#include <utility>

#include "gtest/gtest.h"

namespace dragonfly::common::rpc::testing {

void LoopbackServer::Start(::grpc::Service& service) {
  ServerOptions options;
  net::Endpoint at;
  at.ip = net::IpAddress::V4({127, 0, 0, 1});
  at.port = port_;
  options.listen = {at};
  auto server = Server::Start(options, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  port_ = server_->endpoints()[0].port;
}

void LoopbackServer::Stop() {
  if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  server_ = nullptr;
}

}  // namespace dragonfly::common::rpc::testing
