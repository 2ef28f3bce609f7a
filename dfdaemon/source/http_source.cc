#include "dfdaemon/source/http_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/http/url.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "common/version/version.h"
#include "dfdaemon/source/http_headers.h"
#include "dfdaemon/source/url_text.h"

namespace dragonfly::dfdaemon::source {
namespace {

namespace http = common::http;
namespace log = common::log;
using common::async::CancelScope;
using common::async::Co;
using common::net::DialedFor;
using common::status::ErrorReason;
using common::status::MakeStatus;
using log::kv;

// Judges each address that one request leads to. Called on the client's thread, one hop after the
// other.
class Egress {
 public:
  Egress(const common::net::EgressPolicy& policy, Requester requester)
      : policy_(policy), local_(requester == Requester::kLocalUser) {}

  absl::Status operator()(const http::EgressTarget& target) {
    // From the second hop on it is the origin that names the target. One on this host may be
    // trusted with this host.
    const bool as_local_user = local_ && (target.hop == 0 || !left_this_host_);
    if (!target.address.is_loopback()) left_this_host_ = true;
    return policy_.Check(common::net::Endpoint{target.address, target.port},
                         as_local_user ? DialedFor::kLocalUser : DialedFor::kNetwork);
  }

 private:
  const common::net::EgressPolicy& policy_;
  const bool local_;
  bool left_this_host_ = false;
};

class HttpStream : public SourceStream {
 public:
  HttpStream(std::unique_ptr<http::HttpResponse> response, SourceHead head,
             std::optional<uint64_t> length, std::string url)
      : response_(std::move(response)),
        head_(std::move(head)),
        length_(length),
        url_(std::move(url)) {}

  const SourceHead& head() const override { return head_; }

  Co<absl::StatusOr<size_t>> Read(CancelScope& scope, std::span<std::byte> out) override {
    if (used_ == chunk_.size()) {
      absl::StatusOr<http::Chunk> next = co_await response_->ReadSome(scope);
      if (!next.ok()) co_return End(next.status());
      chunk_ = *std::move(next);
      used_ = 0;
    }
    co_return Take(out);
  }

 private:
  absl::StatusOr<size_t> Take(std::span<std::byte> out) {
    const size_t count = std::min(out.size(), chunk_.size() - used_);
    received_ += count;
    if (length_ && received_ > *length_) return WrongLength("more");
    std::memcpy(out.data(), chunk_.data() + used_, count);
    used_ += count;
    return count;
  }

  absl::Status End(const absl::Status& status) const {
    if (!absl::IsOutOfRange(status)) return common::status::Annotate(status, url_);
    if (length_ && received_ < *length_) return WrongLength("fewer");
    return status;
  }

  absl::Status WrongLength(const char* how) const {
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                      absl::StrCat(url_, ": the origin sent ", how, " than the ", *length_,
                                   " bytes it announced"));
  }

  std::unique_ptr<http::HttpResponse> response_;
  SourceHead head_;
  std::optional<uint64_t> length_;  // of this body
  std::string url_;
  http::Chunk chunk_;
  size_t used_ = 0;
  uint64_t received_ = 0;
};

HttpSource::Options WithDefaults(HttpSource::Options options) {
  if (options.user_agent.empty()) {
    options.user_agent = "dragonfly/";
    options.user_agent += common::version::Version();
  }
  return options;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// The range that Stat asks for: signed URLs bind the method, so it has to be a GET.
constexpr core::ByteRange kFirstByte{0, 1};

// An empty content has no first byte; it says so in the answer to a range.
bool SaysEmpty(const HttpAnswer& answer) {
  const auto text = FindHeader(answer.headers, "Content-Range");
  if (answer.status != 416 || !text) return false;
  const auto content_range = ParseContentRange(*text);
  return content_range.ok() && !content_range->range && content_range->total == 0U;
}

}  // namespace

HttpSource::HttpSource(http::HttpClient& client, const common::net::EgressPolicy& policy,
                       Options options)
    : client_(client), policy_(policy), options_(WithDefaults(std::move(options))) {}

bool HttpSource::SkipsVerification(const std::string& url) const {
  const std::string origin = OriginOfUrl(url);
  if (!origin.starts_with("https://")) return false;
  const std::string authority = origin.substr(8);
  const auto parts = http::ParseUrl(url);
  const std::string host = parts.ok() ? parts->host : authority;
  std::string host_port = authority;
  if (parts.ok()) host_port = absl::StrCat(host, ":", parts->port);
  return std::any_of(options_.insecure_skip_verify.begin(), options_.insecure_skip_verify.end(),
                     [&](const std::string& each) {
                       return each == origin || each == authority || each == host ||
                              each == host_port;
                     });
}

http::Request HttpSource::MakeRequest(const SourceRequest& request, std::string method,
                                      const HttpQuestion& question) const {
  http::Request out;
  out.method = std::move(method);
  out.url = request.url;
  HeaderList callers = request.headers;
  for (const auto& [name, value] : options_.extra_headers) {
    if (!FindHeader(callers, name)) callers.emplace_back(name, value);
  }
  out.headers = RequestHeaders(callers, options_.user_agent);
  if (question.range) {
    out.headers.emplace_back("Range", RangeText(*question.range));
    if (IsStrongEtag(question.etag)) {
      out.headers.emplace_back("If-Range", question.etag);
    } else if (question.etag.empty() && !question.last_modified.empty()) {
      out.headers.emplace_back("If-Range", question.last_modified);
    }
  }
  out.connect_timeout = options_.connect_timeout;
  out.first_byte_timeout = options_.first_byte_timeout;
  out.redirect_ceiling = options_.redirect_ceiling;
  out.tls.extra_ca_der = request.certificate_chain;
  auto egress = std::make_shared<Egress>(policy_, request.requester);
  out.egress = [egress](const http::EgressTarget& target) { return (*egress)(target); };
  return out;
}

// `request` as it goes to where the answer sent it.
absl::Status HttpSource::Redirect(const std::string& location, http::Request& request) const {
  auto next = http::Resolve(request.url, location);
  if (!next.ok()) return next.status();
  const auto from = http::ParseUrl(request.url);
  const auto to = http::ParseUrl(*next);
  if (!from.ok() || !to.ok() || to->scheme != "https") {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      absl::StrCat("the origin redirects from https to ", PublicUrl(*next)));
  }
  if (!http::SameOrigin(*from, *to)) {
    std::erase_if(request.headers, [](const auto& each) { return http::IsCredential(each.first); });
  }
  request.url = *std::move(next);
  return absl::OkStatus();
}

// Where certificates are not checked, redirects are followed here, so that the exception ends where
// the exempted origin does.
Co<absl::StatusOr<std::unique_ptr<http::HttpResponse>>> HttpSource::Follow(CancelScope& scope,
                                                                           http::Request request) {
  int hop = 0;
  while (SkipsVerification(request.url)) {
    if (log::OncePerMinute("insecure " + OriginOfUrl(request.url))) {
      log::Warning("the certificate of an origin is not checked (backend.insecureSkipVerify)",
                   kv("origin", OriginOfUrl(request.url)));
    }
    http::Request sent = request;
    sent.tls.insecure_skip_verify = true;
    sent.redirect_ceiling = 0;
    auto response = co_await client_.Open(scope, std::move(sent));
    if (!response.ok() || !IsRedirect((*response)->status())) co_return response;
    const auto location = http::Find((*response)->headers(), "Location");
    if (!location || hop >= options_.redirect_ceiling) co_return response;
    absl::Status redirected = Redirect(std::string(*location), request);
    if (!redirected.ok()) co_return redirected;
    ++hop;
  }
  request.redirect_ceiling = options_.redirect_ceiling - hop;
  auto response = co_await client_.Open(scope, std::move(request));
  co_return response;
}

Co<absl::StatusOr<HttpSource::Opened>> HttpSource::Open(CancelScope& scope, SourceRequest request,
                                                        std::string method, HttpQuestion question) {
  http::Request asked = MakeRequest(request, std::move(method), question);
  auto response = co_await Follow(scope, std::move(asked));
  if (!response.ok()) {
    co_return common::status::Annotate(response.status(), PublicUrl(request.url));
  }
  Opened opened;
  opened.answer.status = (*response)->status();
  opened.answer.headers = (*response)->headers();
  opened.answer.url = PublicUrl((*response)->effective_url());
  opened.response = *std::move(response);
  co_return opened;
}

Co<absl::StatusOr<SourceHead>> HttpSource::Stat(CancelScope& scope, SourceRequest request) {
  HttpQuestion question;
  question.range = kFirstByte;
  question.etag = request.etag;
  question.last_modified = request.last_modified;
  auto opened = co_await Open(scope, request, "GET", question);
  if (!opened.ok()) co_return opened.status();
  if (opened->answer.status == 416 && !SaysEmpty(opened->answer)) {
    question.range = std::nullopt;
    opened = co_await Open(scope, request, "GET", question);
    if (!opened.ok()) co_return opened.status();
  }
  if (SaysEmpty(opened->answer)) {
    opened->answer.status = 200;
    opened->answer.headers.emplace_back("Content-Length", "0");
    std::erase_if(opened->answer.headers, [](const auto& each) {
      return SameHeaderName(each.first, "Content-Type") ||
             (SameHeaderName(each.first, "Content-Length") && each.second != "0");
    });
  }
  opened->response = nullptr;  // whatever body there is was not asked for
  auto head = JudgeAnswer(question, opened->answer);
  if (!head.ok() || head->content_length || head->http_status != 200) co_return head;

  // A HEAD is not always allowed and not always true, so it only fills a gap.
  auto bare = co_await Open(scope, request, "HEAD", HttpQuestion());
  if (!bare.ok() || bare->answer.status != 200) co_return head;
  auto told = JudgeAnswer(HttpQuestion(), bare->answer);
  if (told.ok() && told->content_length && told->etag == head->etag &&
      told->last_modified == head->last_modified) {
    head->content_length = told->content_length;
    head->headers = ReplayableHeaders(head->headers, head->content_length);
  }
  co_return head;
}

Co<absl::StatusOr<std::unique_ptr<SourceStream>>> HttpSource::Read(
    CancelScope& scope, SourceRequest request, std::optional<core::ByteRange> range) {
  HttpQuestion question;
  question.etag = request.etag;
  question.last_modified = request.last_modified;
  if (range && range->length == 0) {
    co_return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInternal,
                         "a range of no bytes cannot be asked for");
  }
  const bool everything = range && range->start == 0 && range->length == kToTheEnd;
  if (range && !everything) question.range = range;
  auto opened = co_await Open(scope, std::move(request), "GET", question);
  if (!opened.ok()) co_return opened.status();
  auto head = JudgeAnswer(question, opened->answer);
  if (!head.ok()) co_return head.status();
  const std::optional<uint64_t> length = BodyLength(question, opened->answer);
  std::unique_ptr<SourceStream> stream = std::make_unique<HttpStream>(
      std::move(opened->response), *std::move(head), length, opened->answer.url);
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
