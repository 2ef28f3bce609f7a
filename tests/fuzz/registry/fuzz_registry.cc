// What a registry sends: any answer is read or refused, and what was read is within its bounds.

#include <algorithm>

#include "common/digest/digest.h"
#include "common/http/headers.h"
#include "common/http/url.h"
#include "common/oci/challenge.h"
#include "common/oci/credentials.h"
#include "common/oci/documents.h"
#include "common/oci/reference.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace oci = common::oci;

void TryDescriptor(const oci::Descriptor& descriptor) {
  FUZZ_CHECK(common::digest::Digest::Parse(descriptor.digest).ok());
}

void TryManifest(std::string_view type, std::string_view body) {
  const auto document = oci::ParseManifest(type, body);
  if (!document.ok()) return;
  if (const auto* image = std::get_if<oci::ImageManifest>(&*document)) {
    FUZZ_CHECK(image->layers.size() <= oci::kMaxLayers);
    TryDescriptor(image->config);
    std::ranges::for_each(image->layers, TryDescriptor);
    return;
  }
  const auto& index = std::get<oci::ImageIndex>(*document);
  FUZZ_CHECK(index.manifests.size() <= oci::kMaxLayers);
  std::ranges::for_each(index.manifests, TryDescriptor);
  FUZZ_CHECK(oci::Select(index, oci::OwnPlatform()).size() <= index.manifests.size());
}

void TryChallenge(std::string_view header) {
  for (const oci::Challenge& challenge : oci::ParseChallenges(header)) {
    FUZZ_CHECK(common::http::IsFieldName(challenge.scheme));
    FUZZ_CHECK(challenge.parameters.size() <= 16);
  }
  oci::Reference reference;
  reference.registry = "registry.example";
  reference.repository = "a/b";
  reference.manifest = "tag";
  const common::http::HeaderList headers = {{"WWW-Authenticate", std::string(header)}};
  const auto plan = oci::PlanAuthorisation(reference, headers, true, {});
  if (!plan.ok() || plan->basic) return;
  // Credentials never leave for another host, and never in plaintext.
  const auto parts = common::http::ParseUrl(plan->token_url);
  FUZZ_CHECK(parts.ok() && parts->host == "registry.example" && parts->scheme == "https");
}

void TryReference(std::string_view text) {
  const auto name = oci::ParseImageName(text);
  const auto url = oci::ParseManifestUrl(text);
  if (name.ok()) FUZZ_CHECK(*oci::ParseManifestUrl(name->ManifestUrl()) == *name);
  if (url.ok()) FUZZ_CHECK(*oci::ParseManifestUrl(url->ManifestUrl()) == *url);
}

}  // namespace
}  // namespace dragonfly::fuzz

// A content type, a challenge or a reference in the first line, and a body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const auto [line, body] = LinesOf(data, size);
  TryManifest(line, body);
  TryManifest("application/vnd.oci.image.manifest.v1+json", body);
  TryManifest("application/vnd.oci.image.index.v1+json", body);
  TryChallenge(line);
  TryReference(line);
  const auto token = dragonfly::common::oci::ParseTokenAnswer(body);
  if (token.ok()) FUZZ_CHECK(dragonfly::common::http::IsFieldValue(*token));
  return 0;
}
