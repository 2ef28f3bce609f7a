#include "dfdaemon/source/http_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"
#include "common/version/version.h"
#include "dfdaemon/source/http_answer.h"
#include "dfdaemon/source/http_headers.h"
#include "dfdaemon/source/url_text.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::status::ErrorReason;
using common::status::MakeStatus;

HttpSource::Options WithDefaults(HttpSource::Options options) {
  if (options.user_agent.empty()) {
    options.user_agent = "dragonfly/";
    options.user_agent += common::version::Version();
  }
  return options;
}

class HttpStream final : public SourceStream {
 public:
  HttpStream(std::unique_ptr<common::http::HttpResponse> response, SourceHead head)
      : response_(std::move(response)), head_(std::move(head)) {}

  const SourceHead& head() const override { return head_; }

  Co<absl::StatusOr<size_t>> Read(CancelScope& scope, std::span<std::byte> out) override {
    if (taken_ == chunk_.size()) {
      absl::StatusOr<common::http::Chunk> chunk = co_await response_->ReadSome(scope);
      if (!chunk.ok()) co_return chunk.status();
      chunk_ = std::move(*chunk);
      taken_ = 0;
    }
    const size_t n = std::min(out.size(), chunk_.size() - taken_);
    std::memcpy(out.data(), chunk_.data() + taken_, n);
    taken_ += n;
    co_return n;
  }

 private:
  const std::unique_ptr<common::http::HttpResponse> response_;
  const SourceHead head_;
  common::http::Chunk chunk_;
  size_t taken_ = 0;
};

}  // namespace

struct HttpSource::Opened {
  std::unique_ptr<common::http::HttpResponse> response;
  SourceHead head;
};

HttpSource::HttpSource(common::http::HttpClient& client, const common::net::EgressPolicy& policy,
                       Options options)
    : client_(client), policy_(policy), options_(WithDefaults(std::move(options))) {}

bool HttpSource::SkipsVerification(const std::string& url) const {
  const std::string origin = OriginOfUrl(url);
  const size_t scheme = origin.find("://");
  if (scheme == std::string::npos) return false;
  const std::string authority = origin.substr(scheme + 3);
  const std::vector<std::string>& hosts = options_.insecure_skip_verify;
  if (std::find(hosts.begin(), hosts.end(), authority) == hosts.end()) return false;
  if (common::log::OncePerMinute(absl::StrCat("insecure ", authority))) {
    common::log::Warning("the certificate of an origin is not checked",
                         common::log::kv("origin", origin));
  }
  return true;
}

common::http::Request HttpSource::MakeRequest(const SourceRequest& request, std::string method,
                                              const std::optional<core::ByteRange>& range) const {
  common::http::Request http;
  http.method = std::move(method);
  http.url = request.url;
  http.headers = RequestHeaders(request.headers, options_.user_agent);
  if (range.has_value()) {
    http.headers.emplace_back("Range", RangeText(*range));
    if (IsStrongEtag(request.etag)) {
      http.headers.emplace_back("If-Range", request.etag);
    } else if (!request.last_modified.empty()) {
      http.headers.emplace_back("If-Range", request.last_modified);
    }
  }
  http.tls.extra_ca_der = request.certificate_chain;
  http.tls.insecure_skip_verify = SkipsVerification(request.url);
  http.egress = [policy = &policy_,
                 requester = request.requester](const common::http::EgressTarget& target) {
    const bool by_user = requester == Requester::kLocalUser && target.hop == 0;
    return policy->Check(
        common::net::Endpoint{target.address, target.port},
        by_user ? common::net::DialedFor::kLocalUser : common::net::DialedFor::kNetwork);
  };
  return http;
}

Co<absl::StatusOr<HttpSource::Opened>> HttpSource::Open(CancelScope& scope, SourceRequest request,
                                                        std::string method,
                                                        std::optional<core::ByteRange> range) {
  common::http::Request http = MakeRequest(request, std::move(method), range);
  absl::StatusOr<std::unique_ptr<common::http::HttpResponse>> response =
      co_await client_.Open(scope, std::move(http));
  if (!response.ok()) co_return common::status::Annotate(response.status(), PublicUrl(request.url));
  HttpAnswer answer;
  answer.status = (*response)->status();
  answer.headers = (*response)->headers();
  answer.url = PublicUrl((*response)->effective_url());
  HttpQuestion question;
  question.range = range;
  question.etag = request.etag;
  question.last_modified = request.last_modified;
  absl::StatusOr<SourceHead> head = JudgeAnswer(question, answer);
  if (!head.ok()) co_return head.status();
  Opened opened;
  opened.response = std::move(*response);
  opened.head = std::move(*head);
  co_return opened;
}

Co<absl::StatusOr<SourceHead>> HttpSource::Stat(CancelScope& scope, SourceRequest request) {
  // A GET, because signed URLs are signed for one method.
  absl::StatusOr<Opened> opened = co_await Open(scope, request, "GET", core::ByteRange{0, 1});
  // Nothing is in range of an empty content.
  if (absl::IsOutOfRange(opened.status()))
    opened = co_await Open(scope, request, "GET", std::nullopt);
  if (!opened.ok()) co_return opened.status();
  if (opened->head.content_length.has_value()) co_return opened->head;
  absl::StatusOr<Opened> head = co_await Open(scope, request, "HEAD", std::nullopt);
  if (head.ok() && head->head.content_length.has_value()) co_return head->head;
  co_return opened->head;
}

Co<absl::StatusOr<std::unique_ptr<SourceStream>>> HttpSource::Read(
    CancelScope& scope, SourceRequest request, std::optional<core::ByteRange> range) {
  absl::StatusOr<Opened> opened = co_await Open(scope, std::move(request), "GET", range);
  if (!opened.ok()) co_return opened.status();
  std::unique_ptr<SourceStream> stream =
      std::make_unique<HttpStream>(std::move(opened->response), std::move(opened->head));
  co_return stream;
}

Co<absl::StatusOr<std::vector<SourceEntry>>> HttpSource::List(CancelScope&, SourceRequest) {
  co_return MakeStatus(absl::StatusCode::kUnimplemented, ErrorReason::kInvalidArgument,
                       "unsupported http download directory");
}

Co<absl::Status> HttpSource::Put(CancelScope&, SourceRequest, std::string, uint64_t) {
  co_return MakeStatus(absl::StatusCode::kUnimplemented, ErrorReason::kInvalidArgument,
                       "http origins cannot be written to");
}

}  // namespace dragonfly::dfdaemon::source
