#pragma once

#include <grpcpp/impl/codegen/service_type.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/server.h"
#include "dfdaemon/transfer/grpc/grpc_piece_client.h"
#include "dfdaemon/transfer/grpc/grpc_piece_server.h"
#include "dfdaemon/transfer/grpc/piece_service.h"

// A child and a parent that speak the piece RPCs over loopback.
namespace dragonfly::dfdaemon::transfer::grpc::testing {

inline common::rpc::ChannelOptions ChannelOptionsFor(uint64_t max_piece_bytes) {
  common::rpc::ChannelOptions options;
  options.max_receive_message_bytes = max_piece_bytes + kMessageSlackBytes;
  return options;
}

inline common::rpc::ServerOptions Loopback(uint64_t max_piece_bytes) {
  common::rpc::ServerOptions options;
  options.listen = {{common::net::IpAddress::V4({127, 0, 0, 1}), 0}};
  options.limits.max_send_message_bytes = max_piece_bytes + kMessageSlackBytes;
  return options;
}

// A piece server and the gRPC server in front of it.
class Parent {
 public:
  Parent(GrpcPieceServerOptions options, std::vector<common::async::Executor> executors,
         PieceProvider& provider)
      : pieces_(options, std::move(executors), provider), service_(MakePieceService(pieces_)) {
    auto server = common::rpc::Server::Start(Loopback(options.max_piece_bytes), {service_.get()});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }
  ~Parent() {
    server_->Shutdown(absl::ZeroDuration());
    pieces_.Stop();
  }
  common::net::Endpoint endpoint() const { return server_->endpoints().front(); }
  const GrpcServerStats& stats() const { return pieces_.stats(); }

 private:
  GrpcPieceServer pieces_;
  std::unique_ptr<::grpc::Service> service_;
  std::unique_ptr<common::rpc::Server> server_;
};

class Child {
 public:
  explicit Child(GrpcPieceClientOptions options = Named(), PieceClient* other = nullptr)
      : channels_(common::os::PosixEnv().clock(), ChannelOptionsFor(options.max_piece_bytes)),
        client_(options, channels_, common::os::PosixEnv().clock(), other) {}

  static GrpcPieceClientOptions Named() {
    GrpcPieceClientOptions options;
    options.host_id = "10.0.0.1-child";
    return options;
  }
  GrpcPieceClient& client() { return client_; }

 private:
  common::rpc::ChannelPool channels_;
  GrpcPieceClient client_;
};

}  // namespace dragonfly::dfdaemon::transfer::grpc::testing
