#include "common/oci/documents.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/digest/digest.h"
#include "common/http/headers.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::oci {
namespace {

using nlohmann::json;
using status::Sv;

constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr size_t kMostShown = 80;
constexpr int kMostJsonDepth = 16;

// Deeper than any answer of a registry is; looks at brackets outside of texts only.
bool IsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
      continue;
    }
    if (c == '"') in_text = true;
    if ((c == '{' || c == '[') && ++depth > kMostJsonDepth) return true;
    if (c == '}' || c == ']') --depth;
  }
  return false;
}

// Discarded: it is none.
json ReadJson(std::string_view text) {
  if (IsTooDeep(text)) return json(json::value_t::discarded);
  return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

// Empty when there is no text of that name.
std::string TextOf(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::Status Wrong(const std::string& what) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kOriginProtocol, what);
}

std::string Shown(std::string_view text) { return std::string(text.substr(0, kMostShown)); }

std::string_view WithoutParameters(std::string_view content_type) {
  return http::Trim(content_type.substr(0, content_type.find(';')));
}

std::optional<Platform> PlatformOf(const json& entry) {
  const auto found = entry.find("platform");
  if (found == entry.end() || !found->is_object()) return std::nullopt;
  Platform platform;
  platform.os = TextOf(*found, "os");
  platform.architecture = TextOf(*found, "architecture");
  platform.variant = TextOf(*found, "variant");
  return platform;
}

absl::StatusOr<Descriptor> ReadDescriptor(const json& value, const std::string& where) {
  if (!value.is_object()) return Wrong(where + " is no object");
  Descriptor out;
  out.media_type = TextOf(value, "mediaType");
  const std::string digest = TextOf(value, "digest");
  absl::StatusOr<digest::Digest> parsed = digest::Digest::Parse(digest);
  if (!parsed.ok() || (parsed->algorithm != digest::Algorithm::kSha256 &&
                       parsed->algorithm != digest::Algorithm::kSha512)) {
    return Wrong(absl::StrCat(where, ".digest: \"", Shown(digest), "\" is no sha256 or sha512"));
  }
  out.digest = parsed->ToString();
  const auto size = value.find("size");
  if (size == value.end() || !size->is_number_unsigned()) {
    return Wrong(where + ".size: is no number of bytes");
  }
  out.size_bytes = size->get<uint64_t>();
  out.platform = PlatformOf(value);
  return out;
}

absl::StatusOr<std::vector<Descriptor>> ReadList(const json& document, const char* name) {
  const auto list = document.find(name);
  if (list == document.end() || !list->is_array()) {
    return Wrong(absl::StrCat("the document has no list of ", name));
  }
  if (list->size() > kMaxLayers) {
    return Wrong(
        absl::StrCat("the document has ", list->size(), " ", name, ", more than ", kMaxLayers));
  }
  std::vector<Descriptor> out;
  for (const json& value : *list) {
    absl::StatusOr<Descriptor> one =
        ReadDescriptor(value, absl::StrCat(name, "[", out.size(), "]"));
    if (!one.ok()) return one.status();
    out.push_back(*std::move(one));
  }
  return out;
}

absl::StatusOr<Document> ReadImage(const json& document) {
  const auto config = document.find("config");
  if (config == document.end()) return Wrong("the image has no config");
  ImageManifest image;
  absl::StatusOr<Descriptor> read = ReadDescriptor(*config, "config");
  if (!read.ok()) return read.status();
  image.config = *std::move(read);
  absl::StatusOr<std::vector<Descriptor>> layers = ReadList(document, "layers");
  if (!layers.ok()) return layers.status();
  image.layers = *std::move(layers);
  return Document(std::move(image));
}

absl::StatusOr<Document> ReadIndex(const json& document) {
  ImageIndex index;
  absl::StatusOr<std::vector<Descriptor>> manifests = ReadList(document, "manifests");
  if (!manifests.ok()) return manifests.status();
  index.manifests = *std::move(manifests);
  return Document(std::move(index));
}

}  // namespace

std::string_view ManifestMediaTypes() {
  static const std::string kTypes = absl::StrCat(Sv(kOciIndex), ", ", Sv(kDockerList), ", ",
                                                 Sv(kOciManifest), ", ", Sv(kDockerManifest));
  return kTypes;
}

absl::StatusOr<Document> ParseManifest(std::string_view content_type, std::string_view body) {
  const std::string_view type = WithoutParameters(content_type);
  const bool is_image = type == kDockerManifest || type == kOciManifest;
  const bool is_index = type == kDockerList || type == kOciIndex;
  if (!is_image && !is_index) {
    return Wrong(absl::StrCat("a manifest of media type \"", Shown(type),
                              "\" is not read; images of Docker's schema 2 and of OCI are"));
  }
  if (body.size() > kMaxManifestBytes) {
    return Wrong(absl::StrCat("the manifest is longer than ", kMaxManifestBytes, " bytes"));
  }
  const json document = ReadJson(body);
  if (!document.is_object()) return Wrong("the manifest is no JSON object");
  const auto version = document.find("schemaVersion");
  if (version == document.end() || *version != 2) {
    return Wrong("the manifest's schemaVersion is not 2");
  }
  if (document.contains("layers") && document.contains("manifests")) {
    return Wrong("the manifest is an image and an index at the same time");
  }
  const std::string own_type = TextOf(document, "mediaType");
  if (!own_type.empty() && own_type != type) {
    return Wrong(absl::StrCat("the manifest says \"", Shown(own_type),
                              "\" of itself, the registry \"", Shown(type), "\""));
  }
  return is_image ? ReadImage(document) : ReadIndex(document);
}

std::vector<Descriptor> Select(const ImageIndex& index, const Platform& wanted) {
  int best = 1;
  std::vector<Descriptor> out;
  for (const Descriptor& entry : index.manifests) {
    const int fitness = entry.platform.has_value() ? Fitness(wanted, *entry.platform) : 0;
    if (fitness < best) continue;
    if (fitness > best) out.clear();
    best = fitness;
    out.push_back(entry);
  }
  return out;
}

absl::StatusOr<std::string> ParseTokenAnswer(std::string_view body) {
  const json answer = ReadJson(body.substr(0, kMaxTokenBytes + 1));
  if (!answer.is_object()) return Wrong("the token server's answer is no JSON object");
  std::string token = TextOf(answer, "token");
  if (token.empty()) token = TextOf(answer, "access_token");
  if (token.empty() || token.size() > kMaxTokenBytes || !http::IsFieldValue(token)) {
    return Wrong("the token server's answer has no token");
  }
  return token;
}

bool IsForeign(const Descriptor& layer) {
  return layer.media_type.find(".foreign.") != std::string::npos ||
         layer.media_type.find(".nondistributable.") != std::string::npos;
}

}  // namespace dragonfly::common::oci
