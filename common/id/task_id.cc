#include "common/id/task_id.h"

#include "absl/strings/str_cat.h"
#include "common/digest/digest.h"
#include "common/id/url.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::id {
namespace {

using status::ErrorReason;
using status::Invalid;
using status::MakeStatus;
using status::Sv;

constexpr size_t kTaskIdCharacters = 64;

// Storage and the piece protocol know ids of 64 characters only. A sha256 is used as it is; digests
// of other lengths (sha512, crc32) are hashed down.
absl::StatusOr<std::string> IdOfBlobDigest(std::string_view text) {
  const auto parsed = digest::Digest::Parse(text);
  if (!parsed.ok()) return status::Annotate(parsed.status(), "blob name");
  switch (parsed->algorithm) {
    case digest::Algorithm::kSha256:
      return parsed->encoded;
    case digest::Algorithm::kSha512:
    case digest::Algorithm::kCrc32:
      return digest::Sha256Hex(parsed->ToString());
    default:
      return Invalid("blob name: the digest is none of sha256, sha512, crc32");
  }
}

}  // namespace

absl::StatusOr<TaskKey> StandardTaskKey(const StandardTask& task) {
  TaskKey key{TaskKind::kStandard, ""};
  if (task.content_for_calculating_task_id) {
    key.id = digest::Sha256Hex(*task.content_for_calculating_task_id);
    return key;
  }
  if (task.enable_task_id_based_blob_digest) {
    if (const auto text = BlobDigestOf(task.url)) {
      auto id = IdOfBlobDigest(*text);
      if (!id.ok()) return id.status();
      key.id = *std::move(id);
      return key;
    }
  }
  const auto url = CanonicalUrl(task.url, task.filtered_query_params);
  if (!url.ok()) return url.status();
  std::string text = absl::StrCat(*url, task.tag.value_or(""), task.application.value_or(""),
                                  task.revision.value_or(""));
  if (task.piece_length) absl::StrAppend(&text, *task.piece_length);
  text += "STANDARD";
  key.id = digest::Sha256Hex(text);
  return key;
}

absl::StatusOr<TaskKey> PersistentTaskKey(std::string_view url, std::string_view region,
                                          std::string_view endpoint) {
  if (region.empty()) return Invalid("object_storage.region is empty; a persistent task needs it");
  if (endpoint.empty()) {
    return Invalid("object_storage.endpoint is empty; a persistent task needs it");
  }
  const std::string text = absl::StrCat(Sv(url), Sv(region), Sv(endpoint), "PERSISTENT");
  return TaskKey{TaskKind::kPersistent, digest::Sha256Hex(text)};
}

absl::StatusOr<PersistentCacheKeyBuilder> PersistentCacheKeyBuilder::Create() {
  auto hasher = digest::Hasher::Create(digest::Algorithm::kSha256);
  if (!hasher.ok()) return hasher.status();
  return PersistentCacheKeyBuilder(*std::move(hasher));
}

TaskKey PersistentCacheKeyBuilder::FromContent(std::string_view content_for_calculating_task_id) {
  return {TaskKind::kPersistentCache, digest::Sha256Hex(content_for_calculating_task_id)};
}

TaskKey PersistentCacheKeyBuilder::Finish(std::optional<std::string_view> tag,
                                          std::optional<std::string_view> application,
                                          std::optional<uint64_t> piece_length) {
  hasher_.Update(tag.value_or(""));
  hasher_.Update(application.value_or(""));
  if (piece_length) hasher_.Update(absl::StrCat(*piece_length));
  hasher_.Update("PERSISTENT_CACHE");
  return {TaskKind::kPersistentCache, hasher_.Finish().encoded};
}

// By hand what upstream matches with ^(.*)://(.*)/v2/(.*)/blobs/([^?]+)(?:\?.*)?$ : the last
// "/blobs/" that has something behind it and "://", "/v2/" in front of it, in this order.
std::optional<std::string_view> BlobDigestOf(std::string_view url) {
  constexpr std::string_view kBlobs = "/blobs/";
  constexpr std::string_view kVersion = "/v2/";
  const size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const size_t version = url.find(kVersion, scheme_end + 3);
  if (version == std::string_view::npos) return std::nullopt;
  const size_t earliest = version + kVersion.size();
  for (size_t at = url.rfind(kBlobs); at != std::string_view::npos && at >= earliest;
       at = url.rfind(kBlobs, at - 1)) {
    const std::string_view rest = url.substr(at + kBlobs.size());
    const std::string_view name = rest.substr(0, rest.find('?'));
    if (!name.empty()) return name;
  }
  return std::nullopt;
}

bool IsTaskId(std::string_view text) {
  return text.size() == kTaskIdCharacters &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

const std::vector<std::string>& DefaultFilteredQueryParams() {
  static const std::vector<std::string> kNames = {
      // S3
      "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
      "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-User-Agent",
      // GCS
      "X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires",
      "X-Goog-SignedHeaders", "X-Goog-Signature",
      // OSS
      "OSSAccessKeyId", "Expires", "Signature", "SecurityToken",
      // OBS; Expires and Signature are OSS's too
      "AccessKeyId", "X-Obs-Date", "X-Obs-Security-Token",
      // COS
      "q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list",
      "q-signature", "x-cos-security-token",
      // containerd
      "ns"};
  return kNames;
}

}  // namespace dragonfly::common::id
