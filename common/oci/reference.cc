#include "common/oci/reference.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/digest/digest.h"
#include "common/http/url.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::oci {
namespace {

using status::Invalid;
using status::StdView;
using status::Sv;

constexpr std::string_view kApi = "/v2/";
constexpr std::string_view kManifests = "/manifests/";
constexpr std::string_view kDockerHub = "registry-1.docker.io";
constexpr size_t kMostRepositoryBytes = 255;
constexpr size_t kMostTagBytes = 128;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsWord(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// Parts of lower-case letters and digits with separators between them: no "..", no empty part.
bool IsRepository(std::string_view text) {
  if (text.empty() || text.size() > kMostRepositoryBytes) return false;
  bool letter_before = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsLowerOrDigit(c)) {
      letter_before = true;
    } else if (c == '/' || c == '.') {
      if (!letter_before || i + 1 == text.size()) return false;
      letter_before = false;
    } else if (c == '_' || c == '-') {
      // Several may follow one another, but not begin or end a part.
      const bool after_letter = letter_before || text[i > 0 ? i - 1 : 0] == c;
      if (i == 0 || !after_letter || i + 1 == text.size() || text[i + 1] == '/') return false;
      letter_before = false;
    } else {
      return false;
    }
  }
  return true;
}

bool IsTag(std::string_view text) {
  if (text.empty() || text.size() > kMostTagBytes || !IsWord(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsWord(c) || c == '.' || c == '-'; });
}

absl::Status CheckManifest(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    if (IsTag(text)) return absl::OkStatus();
    return Invalid(StdView(absl::StrCat("the tag \"", Sv(text.substr(0, kMostTagBytes)),
                                        "\" is none: letters, digits, \"_\", \".\" and \"-\"")));
  }
  return digest::Digest::Parse(text).status();
}

absl::Status Check(const Reference& reference) {
  if (!IsRepository(reference.repository)) {
    return Invalid(StdView(
        absl::StrCat("the repository \"", Sv(std::string_view(reference.repository).substr(0, 64)),
                     "\" is no name: lower-case letters, digits and single separators")));
  }
  return CheckManifest(reference.manifest);
}

// "host", "host:port", "[::1]:port" of a URL that has been parsed.
std::string_view AuthorityOf(std::string_view url) {
  const size_t begin = url.find("://") + 3;
  std::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const size_t at = authority.rfind('@');
  return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

}  // namespace

std::string Reference::ManifestUrl(std::string_view tag_or_digest) const {
  return absl::StrCat(scheme, "://", registry, Sv(kApi), repository, Sv(kManifests),
                      Sv(tag_or_digest));
}

std::string Reference::BlobUrl(std::string_view digest) const {
  return absl::StrCat(scheme, "://", registry, Sv(kApi), repository, "/blobs/", Sv(digest));
}

std::string Reference::ToString() const {
  return absl::StrCat(registry, "/", repository, by_digest() ? "@" : ":", manifest);
}

absl::StatusOr<Reference> ParseManifestUrl(std::string_view url) {
  absl::StatusOr<http::UrlParts> parts = http::ParseUrl(url);
  if (!parts.ok()) return parts.status();
  const std::string_view path = parts->path;
  const size_t manifests = path.rfind(kManifests);
  if (!path.starts_with(kApi) || manifests == std::string_view::npos || manifests < kApi.size()) {
    return Invalid(StdView(
        absl::StrCat(http::Printable(*parts),
                     " names no manifest; write it as https://REGISTRY/v2/NAME/manifests/TAG")));
  }
  Reference reference;
  reference.scheme = parts->scheme;
  reference.registry = std::string(AuthorityOf(url));
  reference.repository = std::string(path.substr(kApi.size(), manifests - kApi.size()));
  reference.manifest = std::string(path.substr(manifests + kManifests.size()));
  absl::Status checked = Check(reference);
  if (!checked.ok()) return status::Annotate(checked, http::Printable(*parts));
  return reference;
}

absl::StatusOr<Reference> ParseImageName(std::string_view name) {
  Reference reference;
  reference.manifest = "latest";
  std::string_view rest = name;
  // The first part is a registry if it looks like a host: it has a dot or a port, or is localhost.
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view first = rest.substr(0, slash);
    if (first.find_first_of(".:") != std::string_view::npos || first == "localhost") {
      reference.registry = std::string(first);
      rest = rest.substr(slash + 1);
    }
  }
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    reference.manifest = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
    // A tag beside a digest says nothing more.
    rest = rest.substr(0, rest.find(':'));
    if (!reference.by_digest()) return Invalid("what follows \"@\" in an image's name is a digest");
  } else if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    reference.manifest = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  reference.repository = std::string(rest);
  const bool hub = reference.registry.empty() || reference.registry == "docker.io" ||
                   reference.registry == "index.docker.io";
  if (hub) {
    reference.registry = std::string(kDockerHub);
    if (rest.find('/') == std::string_view::npos) {
      reference.repository = absl::StrCat("library/", reference.repository);
    }
  }
  absl::Status checked = Check(reference);
  if (!checked.ok()) return checked;
  // A registry that is more than host and port would be something else as part of a URL.
  const absl::StatusOr<Reference> as_url = ParseManifestUrl(reference.ManifestUrl());
  if (!as_url.ok() || *as_url != reference) {
    return Invalid("the registry of the image's name is no host, or host:port");
  }
  return reference;
}

}  // namespace dragonfly::common::oci
