#include "common/otlp/grpc_exporter.h"

#include <grpcpp/channel.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/otlp/encode.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/reactor.h"
#include "proto/otlp_trace.grpc.pb.h"

namespace dragonfly::common::otlp {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;
using Stub = pb::TraceService::Stub;

// The receiver is away or busy, and has not looked at the batch as far as we know.
bool IsRetryable(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsAborted(status) || absl::IsCancelled(status);
}

rpc::ChannelOptions ChannelOptionsOf(const ExporterOptions& options) {
  rpc::ChannelOptions out;
  out.tls = options.tls;
  out.max_receive_message_bytes = size_t{64} << 10;  // of a message that says next to nothing
  return out;
}

class GrpcExporter final : public trace::Exporter {
 public:
  GrpcExporter(ExporterOptions options, const os::Clock& clock)
      : options_(std::move(options)),
        channels_(clock, ChannelOptionsOf(options_)),
        receiver_("grpc://" + options_.endpoint) {}

  async::Co<trace::Exported> Export(async::CancelScope& scope, const trace::Batch& batch) override {
    pb::ExportTraceServiceRequest request;
    Encode(options_.resource, batch, request);
    auto stub = std::make_shared<Stub>(channels_.Get(options_.endpoint));
    auto starter = [stub, this](::grpc::ClientContext* context,
                                const pb::ExportTraceServiceRequest* sent,
                                pb::ExportTraceServiceResponse* answer,
                                std::function<void(::grpc::Status)> on_done) {
      for (const auto& [name, value] : options_.headers) {
        // gRPC's names have no capitals.
        context->AddMetadata(absl::AsciiStrToLower(name), value);
      }
      stub->async()->Export(context, sent, answer, std::move(on_done));
    };
    const rpc::CallOptions call;  // 10 s; the scope ends sooner where less is left
    auto answer = co_await rpc::UnaryCall<pb::ExportTraceServiceResponse>(
        scope, call, std::move(request), std::move(starter));
    trace::Exported out;
    out.status = answer.status();
    out.retryable = IsRetryable(answer.status());
    if (answer.ok()) {
      const int64_t rejected = answer->partial_success().rejected_spans();
      out.rejected = rejected > 0 ? static_cast<size_t>(rejected) : 0;
    }
    co_return out;
  }

  const std::string& receiver() const override { return receiver_; }

 private:
  const ExporterOptions options_;
  rpc::ChannelPool channels_;
  const std::string receiver_;
};

}  // namespace

std::unique_ptr<trace::Exporter> MakeGrpcExporter(ExporterOptions options, const os::Clock& clock) {
  return std::make_unique<GrpcExporter>(std::move(options), clock);
}

}  // namespace dragonfly::common::otlp
