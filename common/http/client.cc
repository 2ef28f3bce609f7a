#include "common/http/client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/http/curl_loop.h"
#include "common/http/url.h"
#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

using status::ErrorReason;
using status::MakeStatus;

absl::Status CheckRequest(const Request& request) {
  auto bad = [](const std::string& what) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "HTTP request: " + what);
  };
  if (!IsFieldName(request.method)) return bad("the method is not a token");
  for (const auto& [name, value] : request.headers) {
    if (!IsFieldName(name)) return bad("a header name has characters that no name may have");
    if (!IsFieldValue(value)) return bad("the value of header " + name + " has a line break");
  }
  return absl::OkStatus();
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// `request` as it goes to `location` after an answer with `status`.
absl::Status Redirect(int status, const std::string& location, const UrlParts& from,
                      Request& request) {
  absl::StatusOr<std::string> url = Resolve(request.url, location);
  if (!url.ok()) {
    const absl::string_view why = url.status().message();
    const std::string message = Printable(from) + ": " + std::string(why.data(), why.size());
    if (status::ReasonOf(url.status()) == ErrorReason::kForbidden) {
      return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden, message);
    }
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol, message);
  }
  absl::StatusOr<UrlParts> to = ParseUrl(*url);
  if (!to.ok()) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      Printable(from) + ": redirects to something that is not an HTTP URL");
  }
  if (from.scheme == "https" && to->scheme == "http") {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      Printable(from) + ": redirects from https to " + Printable(*to) +
                          ", where anybody could change the content");
  }
  request.url = *url;
  const bool becomes_get =
      status == 303 || ((status == 301 || status == 302) && request.method == "POST");
  if (becomes_get && request.method != "HEAD") {
    request.method = "GET";
    request.body.reset();
    std::erase_if(request.headers, [](const auto& h) { return SameName(h.first, "Content-Type"); });
  }
  if (!SameOrigin(from, *to)) {
    std::erase_if(request.headers,
                  [](const auto& h) { return IsCredential(h.first) || SameName(h.first, "Host"); });
  }
  return absl::OkStatus();
}

class CurlResponse final : public HttpResponse {
 public:
  CurlResponse(std::shared_ptr<CurlLoop> loop, std::shared_ptr<Transfer> transfer)
      : loop_(std::move(loop)), transfer_(std::move(transfer)) {}
  ~CurlResponse() override {
    if (transfer_ == nullptr) return;
    transfer_->Detach(/*discard=*/false);
    loop_->Abort(transfer_);
  }

  int status() const override { return transfer_->http_status(); }
  const HeaderList& headers() const override { return transfer_->headers(); }
  const std::string& effective_url() const override { return transfer_->request.url; }

  async::Co<absl::StatusOr<Chunk>> ReadSome(async::CancelScope& scope) override {
    while (true) {
      if (scope.cancelled()) co_return scope.status();
      bool resume = false;
      std::optional<absl::StatusOr<Chunk>> got = transfer_->TryRead(resume);
      if (resume) loop_->Resume(transfer_);
      if (got.has_value()) co_return std::move(*got);
      absl::Status waited = co_await transfer_->changed.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
  }

  // Gives the transfer up, but lets a short rest of the body come in.
  void Discard() {
    transfer_->Detach(/*discard=*/true);
    transfer_ = nullptr;
  }

 private:
  std::shared_ptr<CurlLoop> loop_;
  std::shared_ptr<Transfer> transfer_;
};

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

// One hop: the answer of one URL.
async::Co<absl::StatusOr<std::unique_ptr<CurlResponse>>> OpenHop(async::CancelScope& scope,
                                                                 std::shared_ptr<CurlLoop> loop,
                                                                 Request request, UrlParts parts,
                                                                 int hop) {
  if (scope.cancelled()) co_return scope.status();
  auto transfer = std::make_shared<Transfer>(scope.executor(), std::move(request), parts, hop);
  transfer->proxy = ProxyFor(parts, Environment);
  if (transfer->proxy.has_value()) {
    const auto literal = net::IpAddress::Parse(parts.host);
    if (literal.ok()) {
      absl::Status allowed = transfer->AllowAddress(*literal, parts.port);
      if (!allowed.ok()) co_return allowed;
    }
  }
  absl::Status started = loop->Start(transfer);
  if (!started.ok()) co_return started;
  auto response = std::make_unique<CurlResponse>(loop, transfer);
  while (true) {
    std::optional<absl::Status> head = transfer->HeadOrEnd();
    if (head.has_value()) {
      if (!head->ok()) co_return *head;
      co_return std::move(response);
    }
    absl::Status waited = co_await transfer->changed.Wait(scope);
    if (!waited.ok()) co_return waited;
  }
}

}  // namespace

HttpClient::HttpClient(Options options) : loop_(std::make_shared<CurlLoop>(std::move(options))) {}
HttpClient::HttpClient() : HttpClient(Options()) {}
HttpClient::~HttpClient() = default;

async::Co<absl::StatusOr<std::unique_ptr<HttpResponse>>> HttpClient::Open(async::CancelScope& scope,
                                                                          Request request) {
  absl::Status valid = CheckRequest(request);
  if (!valid.ok()) co_return valid;
  std::shared_ptr<CurlLoop> loop = loop_;
  for (int hop = 0;; ++hop) {
    absl::StatusOr<UrlParts> parts = ParseUrl(request.url);
    if (!parts.ok()) co_return parts.status();
    absl::StatusOr<std::unique_ptr<CurlResponse>> response =
        co_await OpenHop(scope, loop, request, *parts, hop);
    if (!response.ok()) co_return response.status();
    const int status = (*response)->status();
    const std::optional<std::string_view> location = Find((*response)->headers(), "Location");
    const bool follow = request.redirect_ceiling > 0 && IsRedirect(status) && location.has_value();
    if (!follow) co_return std::unique_ptr<HttpResponse>(std::move(*response));
    if (hop >= request.redirect_ceiling) {
      co_return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                           Printable(*parts) + ": more than " +
                               std::to_string(request.redirect_ceiling) + " redirects");
    }
    absl::Status redirected = Redirect(status, std::string(*location), *parts, request);
    if (!redirected.ok()) co_return redirected;
    (*response)->Discard();
  }
}

}  // namespace dragonfly::common::http
