#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/runtime.h"
#include "common/crypto/tls_source.h"
#include "common/http/server.h"

namespace dragonfly::tests::testing {

inline constexpr const char* kImageType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

// A registry on a free port of loopback that serves what a test puts into it, and the token server
// beside it. Threading: any thread; the destructor from none of the runtime's.
class FakeRegistry {
 public:
  enum class Auth { kNone, kBasic, kBearer };
  struct Options {
    Auth auth = Auth::kNone;
    std::string username;  // empty: tokens are for everybody
    std::string password;
    std::string realm;  // of the token server; empty: this one's own
    std::shared_ptr<dragonfly::common::crypto::TlsSource> tls;
  };
  FakeRegistry(dragonfly::common::async::Executor executor, Options options);
  FakeRegistry(const FakeRegistry&) = delete;
  FakeRegistry& operator=(const FakeRegistry&) = delete;
  ~FakeRegistry();

  std::string host() const;  // "127.0.0.1:PORT"
  std::string url() const;   // with its scheme
  std::string ManifestUrl(const std::string& repository, const std::string& manifest) const;
  std::string BlobUrl(const std::string& repository, const std::string& digest) const;

  // What `path` answers, whoever asks.
  void Put(const std::string& path, dragonfly::common::http::Reply reply);
  // A document under its tag and its digest, which is returned.
  std::string PutManifest(const std::string& repository, const std::string& tag,
                          const std::string& media_type, const std::string& body);
  // An image with these layers, named by a letter each; the digest of its manifest.
  std::string PutImage(const std::string& repository, const std::string& tag,
                       std::string_view layers);

  struct Seen {
    std::string path;
    std::string query;
    std::string authorization;
  };
  std::vector<Seen> seen() const;

 private:
  dragonfly::common::http::Reply Answer(const dragonfly::common::http::ServerRequest& request);
  bool MayRead(std::string_view authorization) const;

  const Options options_;
  std::unique_ptr<dragonfly::common::http::HttpServer> server_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, dragonfly::common::http::Reply> replies_;
  std::vector<Seen> seen_;
};

// "sha256:" and 64 times the letter.
std::string LetterDigest(char letter);
// A descriptor as manifests have it; `more` is added before its end.
std::string DescriptorJson(const std::string& digest, const std::string& more = "");
std::string ImageJson(std::string_view layers);
// An index of manifests for linux/amd64, unless `platform` says otherwise.
std::string IndexJson(const std::vector<std::string>& digests,
                      const std::string& platform = R"({"os":"linux","architecture":"amd64"})");

}  // namespace dragonfly::tests::testing
