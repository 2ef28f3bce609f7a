#include "dfdaemon/node/health_check.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/reactor.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::status::ErrorReason;
using common::status::MakeStatus;

const std::string kCheck = "/grpc.health.v1.Health/Check";
const std::string kWatch = "/grpc.health.v1.Health/Watch";

// HealthCheckResponse{status = 1: enum}, with SERVING = 1. gRPC brings no generated code for it.
bool IsServing(const ::grpc::ByteBuffer& message) {
  std::vector<::grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const auto& slice : slices) {
    for (const uint8_t byte : slice) bytes.push_back(static_cast<char>(byte));
  }
  return bytes == std::string("\x08\x01", 2);
}

absl::Status NotServing() {
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kSchedulerUnavailable,
                    "the server answers, but says that it is not serving");
}

::grpc::ByteBuffer EmptyMessage() {
  const ::grpc::Slice nothing;
  return ::grpc::ByteBuffer(&nothing, 1);
}

}  // namespace

Co<absl::Status> CheckHealth(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel,
                             absl::Duration timeout) {
  ::grpc::GenericStub stub(channel);
  common::rpc::CallOptions options;
  options.timeout = timeout;
  auto starter = [&stub](::grpc::ClientContext* context, const ::grpc::ByteBuffer* request,
                         ::grpc::ByteBuffer* response,
                         std::function<void(::grpc::Status)> on_done) {
    stub.UnaryCall(context, kCheck, ::grpc::StubOptions(), request, response, std::move(on_done));
  };
  auto answer =
      co_await common::rpc::UnaryCall<::grpc::ByteBuffer>(scope, options, EmptyMessage(), starter);
  if (!answer.ok()) co_return answer.status();
  if (!IsServing(*answer)) co_return NotServing();
  co_return absl::OkStatus();
}

Co<absl::Status> WatchHealth(CancelScope& scope, std::shared_ptr<::grpc::Channel> channel) {
  using WatchStream = common::rpc::ClientBidi<::grpc::ByteBuffer, ::grpc::ByteBuffer>;
  ::grpc::GenericStub stub(channel);
  const common::rpc::CallOptions options;
  const common::async::Executor executor = scope.executor();
  auto starter = [&stub](auto* context, auto* reactor) {
    stub.PrepareBidiStreamingCall(context, kWatch, ::grpc::StubOptions(), reactor);
  };
  std::unique_ptr<WatchStream> stream = WatchStream::Start(executor, options, starter);
  absl::Status sent = stream->TryWrite(EmptyMessage());
  if (!sent.ok()) co_return sent;
  stream->HalfClose();
  while (true) {
    auto message = co_await stream->Read(scope);
    if (absl::IsOutOfRange(message.status())) co_return absl::UnavailableError("the watch ended");
    if (!message.ok()) co_return message.status();
    if (!IsServing(*message)) co_return NotServing();
  }
}

}  // namespace dragonfly::dfdaemon::node
