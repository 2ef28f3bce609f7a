#include "dfdaemon/transfer/testing/transfer_conformance.h"

#include "tests/integration/transfer_grpc/grpc_world.h"

// The suite of all transports. One of its promises is not for this one and is left out in
// CMakeLists.txt: AServerThatStopsWhileSendingEndsTheFetch has the server stop when the sink gets
// its first bytes, and by then the whole message of a unary call is in the child. What holds
// instead is in grpc_transfer_test.cc: a server that stops before the message is through.

namespace dragonfly::dfdaemon::transfer::testing {
namespace {

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(std::vector<common::async::Executor> executors)
      : executors_(std::move(executors)) {}
  ~GrpcTransport() override { StopServing(); }
  common::net::Endpoint Serve(PieceProvider& provider) override {
    parent_ = std::make_unique<grpc::testing::Parent>(grpc::GrpcPieceServerOptions(), executors_,
                                                      provider);
    return parent_->endpoint();
  }
  void StopServing() override { parent_.reset(); }
  PieceClient& client() override { return child_.client(); }

 private:
  const std::vector<common::async::Executor> executors_;
  grpc::testing::Child child_;
  std::unique_ptr<grpc::testing::Parent> parent_;
};

TransportCase Grpc(std::string name, Keepalive keepalive) {
  TransportCase result;
  result.name = std::move(name);
  result.keepalive = keepalive;
  result.make = [](std::vector<common::async::Executor> executors) {
    return std::make_unique<GrpcTransport>(std::move(executors));
  };
  return result;
}

INSTANTIATE_TEST_SUITE_P(Transports, TransferConformance,
                         ::testing::Combine(::testing::Values(Grpc("grpc", Keepalive::kOff),
                                                              Grpc("grpc_keepalive",
                                                                   Keepalive::kOn)),
                                            ::testing::ValuesIn(common::id::kAllTaskKinds)),
                         ConformanceName);

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::testing
