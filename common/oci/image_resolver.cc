#include "common/oci/image_resolver.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/hasher.h"
#include "common/log/log.h"
#include "common/oci/credentials.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::oci {
namespace {

using async::CancelScope;
using async::Co;
using status::ErrorReason;
using status::MakeStatus;
using status::StdView;

constexpr int kMostIndexes = 3;  // one inside another

absl::Status WrongAnswer(const std::string& message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kOriginProtocol, message);
}

// What an answer other than 200 means.
absl::Status StatusOfAnswer(int http_status, const std::string& what, bool authorised) {
  const std::string said = absl::StrCat(what, ": the registry says ", http_status);
  switch (http_status) {
    case 404:
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                        said + "; it knows no such image");
    case 401:
      return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized,
                        said + (authorised ? "; it does not take these credentials" : ""));
    case 403:
      return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden, said);
    case 429:
      return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                        said + "; it limits how much is pulled");
    default:
      return MakeStatus(
          http_status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInvalidArgument,
          ErrorReason::kOriginStatus, said);
  }
}

absl::Status CheckDigest(const std::string& expected, std::string_view body) {
  absl::StatusOr<digest::Digest> wanted = digest::Digest::Parse(expected);
  if (!wanted.ok()) return wanted.status();
  absl::StatusOr<digest::Hasher> hasher = digest::Hasher::Create(wanted->algorithm);
  if (!hasher.ok()) return hasher.status();
  hasher->Update(body);
  const digest::Digest found = hasher->Finish();
  if (found == *wanted) return absl::OkStatus();
  return MakeStatus(
      absl::StatusCode::kDataLoss, ErrorReason::kDigestMismatch,
      StdView(absl::StrCat("the manifest ", wanted->ToString(), " is really ", found.ToString())));
}

}  // namespace

struct ImageResolver::Session {
  explicit Session(ImageRequest the_request) : request(std::move(the_request)) {
    may_authorise = http::FindOrEmpty(request.headers, "Authorization").empty();
    // An empty one says nothing, and would hide ours.
    if (may_authorise) {
      std::erase_if(request.headers,
                    [](const auto& field) { return http::SameName(field.first, "Authorization"); });
    }
  }

  http::HeaderList HeadersWithAuthorisation() const {
    http::HeaderList headers = request.headers;
    if (!authorisation.empty()) headers.emplace_back("Authorization", authorisation);
    return headers;
  }

  ImageRequest request;
  bool may_authorise = false;  // the caller gave no Authorization
  std::string authorisation;   // that the registry asked for
};

struct ImageResolver::Answer {
  int status = 0;
  http::HeaderList headers;
  std::string body;  // of a 200
};

std::vector<std::string> Image::BlobUrls() const {
  std::vector<std::string> urls;
  for (const Descriptor& blob : blobs) urls.push_back(reference.BlobUrl(blob.digest));
  return urls;
}

Co<absl::StatusOr<Image>> ImageResolver::Resolve(CancelScope& scope, ImageRequest request) const {
  const std::string name = request.reference.ToString();
  if (request.tls.insecure_skip_verify && log::OncePerMinute("registry TLS " + name)) {
    log::Warning("the certificate of a registry is not verified, as the request wants",
                 log::kv("registry", request.reference.registry));
  }
  Session session(std::move(request));
  absl::StatusOr<ImageManifest> manifest = co_await FindManifest(scope, session);
  if (!manifest.ok()) co_return status::Annotate(manifest.status(), name);
  Image image;
  image.reference = session.request.reference;
  image.headers = session.HeadersWithAuthorisation();
  std::set<std::string> seen;
  manifest->layers.insert(manifest->layers.begin(), manifest->config);
  for (Descriptor& blob : manifest->layers) {
    if (!IsForeign(blob) && seen.insert(blob.digest).second) image.blobs.push_back(std::move(blob));
  }
  co_return image;
}

Co<absl::StatusOr<ImageManifest>> ImageResolver::FindManifest(CancelScope& scope,
                                                              Session& session) const {
  std::string next = session.request.reference.manifest;
  for (int indexes = 0; indexes <= kMostIndexes; ++indexes) {
    absl::StatusOr<Document> document = co_await FetchDocument(scope, session, next);
    if (!document.ok()) co_return document.status();
    if (auto* image = std::get_if<ImageManifest>(&*document)) co_return std::move(*image);
    const std::string platform = session.request.platform.ToString();
    const std::vector<Descriptor> fitting =
        Select(std::get<ImageIndex>(*document), session.request.platform);
    if (fitting.empty())
      co_return WrongAnswer("the index has no image for the platform " + platform);
    if (fitting.size() > 1) {
      co_return WrongAnswer(absl::StrCat("the index has ", fitting.size(),
                                         " images for the platform ", platform,
                                         "; name one of them by its digest"));
    }
    next = fitting[0].digest;
  }
  co_return WrongAnswer(absl::StrCat("more than ", kMostIndexes, " indexes inside one another"));
}

Co<absl::StatusOr<Document>> ImageResolver::FetchDocument(CancelScope& scope, Session& session,
                                                          std::string tag_or_digest) const {
  const std::string url = session.request.reference.ManifestUrl(tag_or_digest);
  const std::string what = "manifest " + tag_or_digest;
  for (bool again = false;; again = true) {
    http::HeaderList headers = session.HeadersWithAuthorisation();
    headers.emplace_back("Accept", std::string(ManifestMediaTypes()));
    absl::StatusOr<Answer> answer =
        co_await Get(scope, session.request, url, std::move(headers), kMaxManifestBytes);
    if (!answer.ok()) co_return status::Annotate(answer.status(), what);
    if (answer->status == 401 && !again && session.may_authorise) {
      absl::Status authorised = co_await Authorise(scope, session, answer->headers);
      if (!authorised.ok()) co_return authorised;
      continue;
    }
    if (answer->status != 200) {
      co_return StatusOfAnswer(answer->status, what,
                               !session.authorisation.empty() || !session.may_authorise);
    }
    // By a digest the document is known; by a tag the registry may say what it is.
    const std::string_view said = http::FindOrEmpty(answer->headers, "Docker-Content-Digest");
    const bool by_digest = tag_or_digest.find(':') != std::string::npos;
    if (by_digest || !said.empty()) {
      absl::Status checked =
          CheckDigest(by_digest ? tag_or_digest : std::string(said), answer->body);
      if (!checked.ok()) co_return checked;
    }
    co_return ParseManifest(http::FindOrEmpty(answer->headers, "Content-Type"), answer->body);
  }
}

Co<absl::Status> ImageResolver::Authorise(CancelScope& scope, Session& session,
                                          http::HeaderList answer_headers) const {
  const ImageRequest& request = session.request;
  absl::StatusOr<AuthPlan> plan = PlanAuthorisation(request.reference, answer_headers,
                                                    !request.username.empty(), options_.auth_hosts);
  if (!plan.ok()) co_return plan.status();
  if (plan->basic) {
    session.authorisation = BasicAuthorisation(request.username, request.password);
    co_return absl::OkStatus();
  }
  http::HeaderList headers;
  if (plan->send_credentials) {
    headers.emplace_back("Authorization", BasicAuthorisation(request.username, request.password));
  }
  absl::StatusOr<Answer> answer =
      co_await Get(scope, request, plan->token_url, std::move(headers), kMaxTokenBytes);
  if (!answer.ok()) co_return status::Annotate(answer.status(), "the registry's token server");
  if (answer->status != 200) {
    co_return StatusOfAnswer(answer->status, "asking the registry's token server",
                             plan->send_credentials);
  }
  absl::StatusOr<std::string> token = ParseTokenAnswer(answer->body);
  if (!token.ok()) co_return token.status();
  session.authorisation = "Bearer " + *token;
  co_return absl::OkStatus();
}

Co<absl::StatusOr<ImageResolver::Answer>> ImageResolver::Get(CancelScope& scope,
                                                             const ImageRequest& request,
                                                             std::string url,
                                                             http::HeaderList headers,
                                                             size_t max_bytes) const {
  CancelScope limit(scope, options_.request_timeout);
  http::Request get;
  get.url = std::move(url);
  get.headers = std::move(headers);
  get.tls = request.tls;
  get.egress = options_.egress;
  absl::StatusOr<std::unique_ptr<http::HttpResponse>> response =
      co_await client_.Open(limit, std::move(get));
  if (!response.ok()) co_return response.status();
  Answer answer;
  answer.status = (*response)->status();
  answer.headers = (*response)->headers();
  // What is said about an error is for people, and not shown: it may be long, or lie.
  if (answer.status != 200) co_return answer;
  const auto length =
      status::ParseInteger<uint64_t>(http::FindOrEmpty(answer.headers, "Content-Length"));
  while (answer.body.size() <= max_bytes && length.value_or(0) <= max_bytes) {
    absl::StatusOr<http::Chunk> chunk = co_await (*response)->ReadSome(limit);
    if (absl::IsOutOfRange(chunk.status())) co_return answer;
    if (!chunk.ok()) co_return chunk.status();
    for (const std::byte byte : *chunk) answer.body.push_back(static_cast<char>(byte));
  }
  co_return WrongAnswer(absl::StrCat("the answer is longer than ", max_bytes, " bytes"));
}

}  // namespace dragonfly::common::oci
