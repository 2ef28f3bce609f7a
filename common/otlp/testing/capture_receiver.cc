#include "common/otlp/testing/capture_receiver.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cctype>
#include <chrono>
#include <thread>
#include <utility>

#include "common/async/runtime.h"
#include "common/http/server.h"
#include "proto/otlp_trace.grpc.pb.h"

namespace dragonfly::common::otlp::testing {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

struct CaptureReceiver::State {
  mutable std::mutex mutex;  // guards what follows
  std::vector<Got> got;
  size_t refused = 0;
  int64_t rejected = 0;
  absl::StatusCode grpc_code = absl::StatusCode::kOk;
  int grpc_times = 0;
  int http_status = 200;
  int http_times = 0;
  std::string retry_after;

  pb::ExportTraceServiceResponse Take(Got one) {
    got.push_back(std::move(one));
    pb::ExportTraceServiceResponse answer;
    if (rejected > 0) answer.mutable_partial_success()->set_rejected_spans(rejected);
    return answer;
  }
};

namespace {

class GrpcService final : public pb::TraceService::Service {
 public:
  explicit GrpcService(CaptureReceiver::State& state) : state_(state) {}

  ::grpc::Status Export(::grpc::ServerContext* context,
                        const pb::ExportTraceServiceRequest* request,
                        pb::ExportTraceServiceResponse* answer) override {
    const std::lock_guard lock(state_.mutex);
    if (state_.grpc_times > 0) {
      --state_.grpc_times;
      ++state_.refused;
      return {static_cast<::grpc::StatusCode>(state_.grpc_code), "as told"};
    }
    CaptureReceiver::Got one;
    one.message = *request;
    for (const auto& [name, value] : context->client_metadata()) {
      one.headers[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
    }
    *answer = state_.Take(std::move(one));
    return ::grpc::Status::OK;
  }

 private:
  CaptureReceiver::State& state_;
};

async::Co<http::Reply> AnswerRequest(CaptureReceiver::State& state, http::ServerRequest request) {
  const std::lock_guard lock(state.mutex);
  http::Reply reply;
  if (state.http_times > 0) {
    --state.http_times;
    ++state.refused;
    reply.status = state.http_status;
    if (!state.retry_after.empty()) reply.headers.emplace_back("Retry-After", state.retry_after);
    co_return reply;
  }
  CaptureReceiver::Got one;
  one.path = request.path;
  for (const auto& [name, value] : request.headers) one.headers[Lower(name)] = value;
  if (request.method != "POST" || !one.message.ParseFromString(request.body)) {
    ++state.refused;
    reply.status = 400;
    co_return reply;
  }
  reply.content_type = "application/x-protobuf";
  reply.body = state.Take(std::move(one)).SerializeAsString();
  co_return reply;
}

// As receivers of traces are: they show a certificate and ask for none.
std::shared_ptr<::grpc::ServerCredentials> CredentialsOf(crypto::TlsSource* tls) {
  if (tls == nullptr) return ::grpc::InsecureServerCredentials();
  const auto material = tls->current();
  ::grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({material->key_pem, material->cert_pem});
  return ::grpc::SslServerCredentials(options);
}

}  // namespace

struct CaptureReceiver::Impl {
  State state;
  GrpcService service{state};
  std::unique_ptr<::grpc::Server> server;
  async::Runtime runtime{1, "capture"};
  std::unique_ptr<http::HttpServer> http;
  std::string grpc_endpoint;
  std::string http_endpoint;
};

CaptureReceiver::CaptureReceiver(std::shared_ptr<crypto::TlsSource> tls)
    : impl_(std::make_unique<Impl>()) {
  int port = 0;
  ::grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", CredentialsOf(tls.get()), &port);
  builder.RegisterService(&impl_->service);
  impl_->server = builder.BuildAndStart();
  impl_->grpc_endpoint = "127.0.0.1:" + std::to_string(port);

  http::HttpServer::Options options;
  options.max_body_bytes = size_t{16} << 20;
  options.tls = std::move(tls);
  auto at = net::Endpoint::ParseListen("127.0.0.1:0", false);
  auto bound = http::HttpServer::Bind(impl_->runtime.executor(0), *at, options);
  impl_->http = *std::move(bound);
  impl_->http->HandleOthers([state = &impl_->state](async::CancelScope&, http::ServerRequest r) {
    return AnswerRequest(*state, std::move(r));
  });
  impl_->http->Start();
  impl_->http_endpoint = "127.0.0.1:" + std::to_string(impl_->http->endpoint().port);
}

CaptureReceiver::~CaptureReceiver() {
  impl_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  impl_->http->Stop();
  impl_->runtime.Stop();
}

const std::string& CaptureReceiver::grpc_endpoint() const { return impl_->grpc_endpoint; }
const std::string& CaptureReceiver::http_endpoint() const { return impl_->http_endpoint; }

std::vector<CaptureReceiver::Got> CaptureReceiver::got() const {
  const std::lock_guard lock(impl_->state.mutex);
  return impl_->state.got;
}

std::vector<CaptureReceiver::Span> CaptureReceiver::spans() const {
  std::vector<Span> out;
  for (const Got& one : got()) {
    for (const auto& resource : one.message.resource_spans()) {
      for (const auto& scope : resource.scope_spans()) {
        out.insert(out.end(), scope.spans().begin(), scope.spans().end());
      }
    }
  }
  return out;
}

bool CaptureReceiver::WaitFor(const std::function<bool(const std::vector<Span>&)>& enough,
                              absl::Duration limit) const {
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(limit);
  while (!enough(spans())) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void CaptureReceiver::AnswerGrpc(absl::StatusCode code, int times) {
  const std::lock_guard lock(impl_->state.mutex);
  impl_->state.grpc_code = code;
  impl_->state.grpc_times = times;
}

void CaptureReceiver::AnswerHttp(int status, int times, std::string retry_after) {
  const std::lock_guard lock(impl_->state.mutex);
  impl_->state.http_status = status;
  impl_->state.http_times = times;
  impl_->state.retry_after = std::move(retry_after);
}

void CaptureReceiver::Reject(int64_t spans) {
  const std::lock_guard lock(impl_->state.mutex);
  impl_->state.rejected = spans;
}

size_t CaptureReceiver::refused() const {
  const std::lock_guard lock(impl_->state.mutex);
  return impl_->state.refused;
}

}  // namespace dragonfly::common::otlp::testing
