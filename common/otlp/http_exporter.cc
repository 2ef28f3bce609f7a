#include "common/otlp/http_exporter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/http/client.h"
#include "common/http/headers.h"
#include "common/otlp/encode.h"
#include "common/status/parse.h"
#include "common/status/strings.h"
#include "proto/otlp_trace.pb.h"

namespace dragonfly::common::otlp {
namespace {

namespace pb = ::opentelemetry::proto::collector::trace::v1;

constexpr size_t kMaxAnswerBytes = size_t{64} << 10;
constexpr std::string_view kProtobuf = "application/x-protobuf";

bool IsRetryable(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::optional<absl::Duration> RetryAfterOf(const http::HttpResponse& response) {
  const auto text = http::Find(response.headers(), "Retry-After");
  if (!text.has_value()) return std::nullopt;
  const auto seconds = common::status::ParseInteger<uint32_t>(*text);
  if (!seconds.has_value()) return std::nullopt;
  return absl::Seconds(*seconds);
}

class HttpExporter final : public trace::Exporter {
 public:
  explicit HttpExporter(ExporterOptions options)
      : options_(std::move(options)),
        url_((options_.https ? "https://" : "http://") + options_.endpoint + options_.path) {}

  async::Co<trace::Exported> Export(async::CancelScope& scope, const trace::Batch& batch) override {
    http::Request request = MakeRequest(batch);
    trace::Exported out;
    auto response = co_await client_.Open(scope, std::move(request));
    if (!response.ok()) {
      out.status = response.status();
      out.retryable = absl::IsUnavailable(out.status) || absl::IsDeadlineExceeded(out.status) ||
                      absl::IsCancelled(out.status);
      co_return out;
    }
    const int code = (*response)->status();
    if (code < 200 || code > 299) {
      out.status = absl::UnavailableError(absl::StrCat(url_, " answers ", code));
      out.retryable = IsRetryable(code);
      out.retry_after = RetryAfterOf(**response);
      co_return out;
    }
    std::string body;
    while (body.size() < kMaxAnswerBytes) {
      auto chunk = co_await (*response)->ReadSome(scope);
      if (!chunk.ok()) break;  // the answer is what counts
      for (const std::byte byte : *chunk) body += static_cast<char>(byte);
    }
    pb::ExportTraceServiceResponse answer;
    const auto type = http::Find((*response)->headers(), "Content-Type");
    if (type.has_value() && *type == kProtobuf && answer.ParseFromString(body)) {
      out.rejected =
          static_cast<size_t>(std::max<int64_t>(0, answer.partial_success().rejected_spans()));
    }
    co_return out;
  }

  const std::string& receiver() const override { return url_; }

 private:
  http::Request MakeRequest(const trace::Batch& batch) const {
    pb::ExportTraceServiceRequest message;
    Encode(options_.resource, batch, message);
    http::Request request;
    request.method = "POST";
    request.url = url_;
    request.headers = {{"Content-Type", std::string(kProtobuf)}};
    for (const auto& [name, value] : options_.headers) request.headers.emplace_back(name, value);
    request.body = message.SerializeAsString();
    request.redirect_ceiling = 0;
    if (options_.tls != nullptr) request.tls.extra_ca_pem = options_.tls->current()->ca_pem;
    return request;
  }

  const ExporterOptions options_;
  const std::string url_;
  http::HttpClient client_;
};

}  // namespace

std::unique_ptr<trace::Exporter> MakeHttpExporter(ExporterOptions options) {
  return std::make_unique<HttpExporter>(std::move(options));
}

}  // namespace dragonfly::common::otlp
