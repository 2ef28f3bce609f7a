#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/digest/hasher.h"
#include "common/id/task_key.h"

namespace dragonfly::common::id {

// How tasks get their ids. Every node makes the same id from the same request, upstream's nodes too
// (docs/reference/ids.md has the recipes and vectors).

// What a standard task's id is made of; options that are absent contribute nothing.
struct StandardTask {
  std::string url = {};
  std::vector<std::string> filtered_query_params = {};  // exact, decoded names
  std::optional<std::string> tag = std::nullopt;
  std::optional<std::string> application = std::nullopt;
  std::optional<std::string> revision = std::nullopt;   // of a model hub
  std::optional<uint64_t> piece_length = std::nullopt;  // only when the user chose it
  // Given: the id is made of this text alone.
  std::optional<std::string> content_for_calculating_task_id = std::nullopt;
  // The digest in the name of an OCI blob is the id, whatever the registry.
  bool enable_task_id_based_blob_digest = false;
};
absl::StatusOr<TaskKey> StandardTaskKey(const StandardTask& task);

// `url` is taken as it is. Region and endpoint are mandatory.
absl::StatusOr<TaskKey> PersistentTaskKey(std::string_view url, std::string_view region,
                                          std::string_view endpoint);

// A persistent-cache task is named by the bytes of its file, in order through Update.
class PersistentCacheKeyBuilder {
 public:
  static absl::StatusOr<PersistentCacheKeyBuilder> Create();
  // The other way to name one: by a text that the caller gives.
  static TaskKey FromContent(std::string_view content_for_calculating_task_id);

  void Update(std::span<const std::byte> data) { hasher_.Update(data); }
  void Update(std::string_view data) { hasher_.Update(data); }
  // Ends the file; once.
  TaskKey Finish(std::optional<std::string_view> tag, std::optional<std::string_view> application,
                 std::optional<uint64_t> piece_length);

 private:
  explicit PersistentCacheKeyBuilder(digest::Hasher hasher) : hasher_(std::move(hasher)) {}
  digest::Hasher hasher_;
};

// The "sha256:..." of "https://registry/v2/<name>/blobs/sha256:...?..."; nullopt when the URL has
// not that shape. The text is not checked.
std::optional<std::string_view> BlobDigestOf(std::string_view url);

// 64 lower-case hexadecimal characters.
bool IsTaskId(std::string_view text);

// Query parameters that sign or authorise a request and do not name content: of S3, GCS, OSS, OBS,
// COS, and containerd's "ns". The default of proxy rules and of the command line.
const std::vector<std::string>& DefaultFilteredQueryParams();

}  // namespace dragonfly::common::id
