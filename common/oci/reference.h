#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::oci {

// Where an image is: a repository of a registry, and a manifest in it (docs/reference/registry.md).
struct Reference {
  std::string scheme = "https";  // or "http"
  std::string registry;          // host, and port if it is written: "registry.example:5000"
  std::string repository;        // "library/nginx"
  std::string manifest;          // a tag, or a digest "sha256:..."

  bool by_digest() const { return manifest.find(':') != std::string::npos; }
  std::string ManifestUrl() const { return ManifestUrl(manifest); }
  std::string ManifestUrl(std::string_view tag_or_digest) const;
  std::string BlobUrl(std::string_view digest) const;
  // "registry/repository:tag", for messages.
  std::string ToString() const;

  friend bool operator==(const Reference&, const Reference&) = default;
};

// "https://HOST/v2/NAME/manifests/TAG" or ".../DIGEST", as console and command line give it; a
// query is left out. INVALID_ARGUMENT says what is wrong, without user information and query.
absl::StatusOr<Reference> ParseManifestUrl(std::string_view url);

// What container tools take: "nginx", "nginx:1.25", "user/app@sha256:...",
// "registry.example:5000/a/b:tag". Without a registry: Docker Hub; without a tag: "latest".
// Registries are reached by https.
absl::StatusOr<Reference> ParseImageName(std::string_view name);

}  // namespace dragonfly::common::oci
