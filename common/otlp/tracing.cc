#include "common/otlp/tracing.h"

#include <utility>

#include "common/crypto/tls_source.h"
#include "common/log/log.h"
#include "common/otlp/grpc_exporter.h"
#include "common/otlp/http_exporter.h"
#include "common/version/version.h"

namespace dragonfly::common::otlp {
namespace {

trace::Resource ResourceOf(ProcessIdentity identity) {
  trace::Resource resource;
  resource.service_name = std::move(identity.service_name);
  resource.attributes = {{"service.namespace", std::string("dragonfly")},
                         {"service.version", std::string(version::Version())},
                         {"host.name", std::move(identity.hostname)},
                         {"host.ip", std::move(identity.ip)}};
  for (trace::Attribute& attribute : identity.more)
    resource.attributes.push_back(std::move(attribute));
  return resource;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tracing>> Tracing::Start(const TracingConfig& config,
                                                        ProcessIdentity identity, os::Env& env,
                                                        trace::TraceMetrics* metrics) {
  std::unique_ptr<Tracing> out(new Tracing());
  if (!config.on()) return out;
  if (!config.service_name.empty()) identity.service_name = config.service_name;
  ExporterOptions options;
  options.endpoint = config.endpoint;
  options.https = config.protocol == "https";
  options.path = config.path;
  options.headers = config.headers;
  crypto::TlsFiles files;
  files.ca_cert = config.ca_cert;
  auto tls = crypto::TlsSource::OpenIfSet(env.clock(), files, "tracing");
  if (!tls.ok()) return tls.status();
  options.tls = *std::move(tls);
  options.resource = ResourceOf(std::move(identity));
  const bool plain = !options.https && options.tls == nullptr;
  auto exporter = config.protocol == "grpc" ? MakeGrpcExporter(std::move(options), env.clock())
                                            : MakeHttpExporter(std::move(options));
  log::Info("traces are sent", log::kv("receiver", exporter->receiver()),
            log::kv("plaintext", plain), log::kv("ratio", config.sample_ratio));
  out->runtime_ = std::make_unique<async::Runtime>(1, "trace");
  out->sender_ = trace::BatchSender::Start(out->runtime_->executor(0), env, std::move(exporter),
                                           metrics, trace::BatchSender::Options());
  out->tracer_ = trace::Tracer(out->sender_, env, config.sample_ratio);
  return out;
}

Tracing::~Tracing() { Stop(absl::ZeroDuration()); }

void Tracing::Stop(absl::Duration limit) {
  if (runtime_ == nullptr) return;
  sender_->Stop(limit);
  runtime_->Stop();
  sender_ = nullptr;
  runtime_ = nullptr;
}

}  // namespace dragonfly::common::otlp
