#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/http/client.h"
#include "common/oci/documents.h"
#include "common/oci/platform.h"
#include "common/oci/reference.h"

namespace dragonfly::common::oci {

// Whose blobs are looked for, and as whom.
struct ImageRequest {
  Reference reference;
  Platform platform = OwnPlatform();
  // Sent to the registry; with an Authorization among them nothing else is tried.
  http::HeaderList headers;
  std::string username;  // empty: as nobody
  std::string password;
  http::TlsOptions tls;
};

// One image for one platform.
struct Image {
  Reference reference;
  // The configuration and then the layers, each digest once, without those that registries do not
  // hand out.
  std::vector<Descriptor> blobs;
  // What the blobs are asked for with: the headers of the request, and the Authorization that the
  // registry took. Secret.
  http::HeaderList headers;

  std::vector<std::string> BlobUrls() const;
};

// Asks registries what an image is made of (docs/reference/registry.md): manifests and indexes with
// their digests checked, tokens by Basic and Bearer.
//
// Credentials go to the registry and to a token server on the same host or on Options::auth_hosts,
// never over http unless the registry itself was named with http; whoever redirects elsewhere gets
// none.
//
// Errors: NOT_FOUND (no such image), UNAUTHENTICATED, PERMISSION_DENIED (kForbidden: an address, or
// a token server that may not have the credentials), INVALID_ARGUMENT (kOriginProtocol: what the
// registry sent; also an index without, or with several images for the platform), DATA_LOSS
// (kDigestMismatch), UNAVAILABLE, RESOURCE_EXHAUSTED (the registry has its limits). Messages name
// the image and never credentials.
// Threading: any executor, many at once.
class ImageResolver {
 public:
  struct Options {
    absl::Duration request_timeout = absl::Minutes(1);  // each of at most eight or so
    // Token servers beside the registries themselves that may have credentials: host names.
    std::vector<std::string> auth_hosts = {"auth.docker.io"};
    // As http::Request has it. Empty: everything is allowed.
    std::function<absl::Status(const http::EgressTarget&)> egress;
  };
  // The client must outlive the resolver.
  ImageResolver(http::HttpClient& client, Options options)
      : client_(client), options_(std::move(options)) {}

  async::Co<absl::StatusOr<Image>> Resolve(async::CancelScope& scope, ImageRequest request) const;

 private:
  struct Session;
  struct Answer;

  async::Co<absl::StatusOr<ImageManifest>> FindManifest(async::CancelScope& scope,
                                                        Session& session) const;
  async::Co<absl::StatusOr<Document>> FetchDocument(async::CancelScope& scope, Session& session,
                                                    std::string tag_or_digest) const;
  async::Co<absl::Status> Authorise(async::CancelScope& scope, Session& session,
                                    http::HeaderList answer_headers) const;
  async::Co<absl::StatusOr<Answer>> Get(async::CancelScope& scope, const ImageRequest& request,
                                        std::string url, http::HeaderList headers,
                                        size_t max_bytes) const;

  http::HttpClient& client_;
  const Options options_;
};

}  // namespace dragonfly::common::oci
