#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/oci/platform.h"

namespace dragonfly::common::oci {

// A document or blob as a manifest names it.
struct Descriptor {
  std::string media_type;
  std::string digest;  // checked: "sha256:..." or another that digest::Digest reads
  uint64_t size_bytes = 0;
  std::optional<Platform> platform;  // in an index

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

// One image.
struct ImageManifest {
  Descriptor config;
  std::vector<Descriptor> layers;
};
// Images for several platforms.
struct ImageIndex {
  std::vector<Descriptor> manifests;
};
using Document = std::variant<ImageManifest, ImageIndex>;

inline constexpr size_t kMaxManifestBytes = size_t{4} << 20U;
inline constexpr size_t kMaxTokenBytes = size_t{64} << 10U;
inline constexpr size_t kMaxLayers = 1000;  // and entries of an index

// The value of Accept for manifests: what ParseManifest reads.
std::string_view ManifestMediaTypes();

// Reads Docker's image manifest 2, schema 2, and manifest list, and OCI's image manifest and image
// index. `content_type` is that of the answer, parameters are left out. INVALID_ARGUMENT
// (kOriginProtocol) says what is wrong: another media type, one that contradicts the document's own
// (GO-2022-0379), a document that is both an image and an index, more than the limits, a missing or
// wrong digest or size.
absl::StatusOr<Document> ParseManifest(std::string_view content_type, std::string_view body);

// Those of the entries that run best on `wanted`; several when an index has several that fit
// equally.
std::vector<Descriptor> Select(const ImageIndex& index, const Platform& wanted);

// The token of a token server's answer: "token", or "access_token" of OAuth 2. INVALID_ARGUMENT
// (kOriginProtocol) when it has none that fits into a header.
absl::StatusOr<std::string> ParseTokenAnswer(std::string_view body);

// Blobs that registries do not hand out: base layers that their owner does not let be distributed.
bool IsForeign(const Descriptor& layer);

}  // namespace dragonfly::common::oci
