#include "tests/testing/registry/fake_registry.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/digest/hasher.h"
#include "common/net/endpoint.h"

namespace dragonfly::tests::testing {

namespace async = dragonfly::common::async;
namespace http = dragonfly::common::http;

namespace {

constexpr const char* kToken = "t0ken";

async::Co<http::Reply> Ready(http::Reply reply) { co_return reply; }

http::Reply Status(int status) {
  http::Reply reply;
  reply.status = status;
  return reply;
}

}  // namespace

FakeRegistry::FakeRegistry(async::Executor executor, Options options)
    : options_(std::move(options)) {
  dragonfly::common::net::Endpoint at;
  at.ip = dragonfly::common::net::IpAddress::V4({127, 0, 0, 1});
  http::HttpServer::Options server_options;
  server_options.tls = options_.tls;
  auto server = http::HttpServer::Bind(executor, at, server_options);
  if (!server.ok()) {
    std::fprintf(stderr, "no port for a registry: %s\n", server.status().ToString().c_str());
    std::abort();
  }
  server_ = *std::move(server);
  server_->HandleOthers([this](async::CancelScope&, const http::ServerRequest& request) {
    return Ready(Answer(request));
  });
  server_->Start();
}

FakeRegistry::~FakeRegistry() { server_->Stop(); }

std::string FakeRegistry::host() const { return server_->endpoint().ToString(); }
std::string FakeRegistry::url() const {
  return (options_.tls == nullptr ? "http://" : "https://") + host();
}
std::string FakeRegistry::ManifestUrl(const std::string& repository,
                                      const std::string& manifest) const {
  return url() + "/v2/" + repository + "/manifests/" + manifest;
}
std::string FakeRegistry::BlobUrl(const std::string& repository, const std::string& digest) const {
  return url() + "/v2/" + repository + "/blobs/" + digest;
}

void FakeRegistry::Put(const std::string& path, http::Reply reply) {
  const std::lock_guard lock(mutex_);
  replies_[path] = std::move(reply);
}

std::string FakeRegistry::PutManifest(const std::string& repository, const std::string& tag,
                                      const std::string& media_type, const std::string& body) {
  const std::string digest = "sha256:" + dragonfly::common::digest::Sha256Hex(body);
  http::Reply reply;
  reply.content_type = media_type;
  reply.body = body;
  reply.headers = {{"Docker-Content-Digest", digest}};
  Put("/v2/" + repository + "/manifests/" + tag, reply);
  Put("/v2/" + repository + "/manifests/" + digest, std::move(reply));
  return digest;
}

std::string FakeRegistry::PutImage(const std::string& repository, const std::string& tag,
                                   std::string_view layers) {
  return PutManifest(repository, tag, kImageType, ImageJson(layers));
}

std::vector<FakeRegistry::Seen> FakeRegistry::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

bool FakeRegistry::MayRead(std::string_view authorization) const {
  if (options_.auth == Auth::kNone) return true;
  if (options_.auth == Auth::kBearer) return authorization == std::string("Bearer ") + kToken;
  return authorization ==
         "Basic " + absl::Base64Escape(options_.username + ":" + options_.password);
}

http::Reply FakeRegistry::Answer(const http::ServerRequest& request) {
  const std::string authorization(http::FindOrEmpty(request.headers, "Authorization"));
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back({request.path, request.query, authorization});
  }
  if (request.path == "/token") {
    const bool known =
        options_.username.empty() ||
        authorization == "Basic " + absl::Base64Escape(options_.username + ":" + options_.password);
    http::Reply reply = Status(known ? 200 : 401);
    if (known) reply.body = absl::StrCat(R"({"token":")", kToken, R"("})");
    return reply;
  }
  if (!MayRead(authorization)) {
    http::Reply reply = Status(401);
    const std::string realm = options_.realm.empty() ? url() + "/token" : options_.realm;
    reply.headers = {
        {"WWW-Authenticate", options_.auth == Auth::kBasic
                                 ? std::string("Basic realm=\"registry\"")
                                 : "Bearer realm=\"" + realm + "\",service=\"registry\""}};
    return reply;
  }
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(request.path);
  return found == replies_.end() ? Status(404) : found->second;
}

std::string LetterDigest(char letter) { return "sha256:" + std::string(64, letter); }

std::string DescriptorJson(const std::string& digest, const std::string& more) {
  return absl::StrCat(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")",
                      digest, R"(","size":7)", more, "}");
}

std::string ImageJson(std::string_view layers) {
  std::string list;
  for (const char letter : layers) {
    absl::StrAppend(&list, list.empty() ? "" : ",", DescriptorJson(LetterDigest(letter)));
  }
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kImageType, R"(","config":)",
                      DescriptorJson(LetterDigest('c')), R"(,"layers":[)", list, "]}");
}

std::string IndexJson(const std::vector<std::string>& digests, const std::string& platform) {
  std::string list;
  for (const std::string& digest : digests) {
    absl::StrAppend(&list, list.empty() ? "" : ",",
                    DescriptorJson(digest, ",\"platform\":" + platform));
  }
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[)", list, "]}");
}

}  // namespace dragonfly::tests::testing
