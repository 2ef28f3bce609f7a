#include "dfget/cli/download_trace.h"

#include <unistd.h>

#include <utility>

#include "common/os/env.h"
#include "common/otlp/grpc_exporter.h"
#include "common/trace/tracer.h"
#include "common/version/version.h"

namespace dragonfly::dfget::cli {
namespace {

constexpr absl::Duration kLastFlush = absl::Seconds(1);

common::otlp::ExporterOptions ExporterOptionsOf(const Options& options) {
  common::otlp::ExporterOptions out;
  out.endpoint = options.tracing_endpoint;
  char name[256] = {};
  const bool named = gethostname(name, sizeof(name) - 1) == 0;
  out.resource.service_name = "dfget";
  out.resource.attributes = {{"service.namespace", std::string("dragonfly")},
                             {"service.version", std::string(common::version::Version())},
                             {"host.name", std::string(named ? name : "localhost")}};
  return out;
}

}  // namespace

DownloadTrace::DownloadTrace(const Options& options) {
  if (options.tracing_endpoint.empty()) {
    span_ = common::trace::Span(options.trace);
    return;
  }
  common::os::Env& env = common::os::PosixEnv();
  runtime_ = std::make_unique<common::async::Runtime>(1, "trace");
  sender_ = common::trace::BatchSender::Start(
      runtime_->executor(0), env,
      common::otlp::MakeGrpcExporter(ExporterOptionsOf(options), env.clock()), nullptr,
      common::trace::BatchSender::Options());
  const common::trace::Tracer tracer(sender_, env, 1);
  span_ = tracer.Start("download", common::trace::SpanKind::kClient, options.trace);
  span_.SetUrl(options.url);
}

DownloadTrace::~DownloadTrace() { Finish(); }

void DownloadTrace::Finish() {
  span_.End();
  if (runtime_ == nullptr) return;
  sender_->Stop(kLastFlush);
  runtime_->Stop();
  runtime_ = nullptr;
}

}  // namespace dragonfly::dfget::cli
