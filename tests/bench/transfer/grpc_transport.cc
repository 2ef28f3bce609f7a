#include "tests/bench/transfer/grpc_transport.h"

#include <grpcpp/impl/codegen/service_type.h>

#include <utility>

#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/server.h"
#include "dfdaemon/transfer/grpc/grpc_piece_client.h"
#include "dfdaemon/transfer/grpc/grpc_piece_server.h"
#include "dfdaemon/transfer/grpc/piece_service.h"
#include "dfdaemon/transfer/grpc/received_memory.h"
#include "tests/bench/transfer/process.h"

namespace dragonfly::bench {
namespace {

namespace rpc = common::rpc;
namespace transfer = dfdaemon::transfer;

constexpr size_t kMaxMessageBytes = (size_t{64} << 20) + transfer::grpc::kMessageSlackBytes;

// The client with the channels that it borrows.
class OwningClient final : public transfer::PieceClient {
 public:
  explicit OwningClient(std::shared_ptr<common::crypto::TlsSource> tls)
      : channels_(common::os::PosixEnv().clock(), ForPieces(std::move(tls))),
        client_(Named(), channels_, common::os::PosixEnv().clock(), nullptr) {}
  common::async::Co<absl::Status> Fetch(common::async::CancelScope& scope,
                                        transfer::PieceTarget target,
                                        transfer::PieceRequest request,
                                        transfer::PieceSink& sink) override {
    return client_.Fetch(scope, target, std::move(request), sink);
  }

 private:
  static rpc::ChannelOptions ForPieces(std::shared_ptr<common::crypto::TlsSource> tls) {
    rpc::ChannelOptions options;
    options.tls = std::move(tls);
    options.max_receive_message_bytes = kMaxMessageBytes;
    return options;
  }
  static transfer::grpc::GrpcPieceClientOptions Named() {
    transfer::grpc::GrpcPieceClientOptions options;
    options.host_id = "127.0.0.1-bench";
    return options;
  }
  rpc::ChannelPool channels_;
  transfer::grpc::GrpcPieceClient client_;
};

}  // namespace

std::unique_ptr<transfer::PieceClient> MakeGrpcClient(
    std::shared_ptr<common::crypto::TlsSource> tls) {
  transfer::grpc::KeepReceivedMemory();  // as the daemon does
  return std::make_unique<OwningClient>(std::move(tls));
}

struct GrpcParent::Impl {
  Impl(std::vector<common::async::Executor> executors, transfer::PieceProvider& provider,
       std::shared_ptr<common::crypto::TlsSource> tls)
      : pieces(transfer::grpc::GrpcPieceServerOptions(), std::move(executors), provider),
        service(transfer::grpc::MakePieceService(pieces)) {
    rpc::ServerOptions options;
    options.listen = {{common::net::IpAddress::V4({127, 0, 0, 1}), 0}};
    options.limits.max_send_message_bytes = kMaxMessageBytes;
    options.tls = std::move(tls);
    auto started = rpc::Server::Start(options, {service.get()});
    if (!started.ok()) Die("starting the server: " + started.status().ToString());
    server = std::move(*started);
  }
  ~Impl() {
    server->Shutdown(absl::ZeroDuration());
    pieces.Stop();
  }
  transfer::grpc::GrpcPieceServer pieces;
  std::unique_ptr<::grpc::Service> service;
  std::unique_ptr<rpc::Server> server;
};

GrpcParent::GrpcParent(std::vector<common::async::Executor> executors,
                       transfer::PieceProvider& provider,
                       std::shared_ptr<common::crypto::TlsSource> tls)
    : impl_(std::make_unique<Impl>(std::move(executors), provider, std::move(tls))) {}

GrpcParent::~GrpcParent() = default;

uint16_t GrpcParent::port() const { return impl_->server->endpoints().front().port; }

}  // namespace dragonfly::bench
