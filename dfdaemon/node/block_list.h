#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/value.h"
#include "common/id/task_key.h"

namespace dragonfly::dfdaemon::node {

// What an administrator has forbidden the nodes of a cluster: tasks of an application, with a tag,
// of a priority, or whose URL a pattern is found in. One match is enough. Patterns have RE2 syntax,
// are searched (not anchored) and are compiled once. Immutable; any thread.
class BlockList {
 public:
  enum class Action : uint8_t { kDownload, kUpload };
  struct Subject {
    common::id::TaskKind kind = common::id::TaskKind::kStandard;
    std::string_view application;
    std::string_view url;
    std::string_view tag;
    int priority = 0;
  };

  BlockList();
  ~BlockList();
  BlockList(const BlockList&) = delete;
  BlockList& operator=(const BlockList&) = delete;

  // From client_config (of seed peers: seed_client_config) of a cluster, or clientConfig of
  // dynconfig.yaml: {block_list: {task: {download: {applications, urls, tags, priorities}}, ...}}
  // (docs/reference/dynconfig.md). Keys it does not know are not its own and read over.
  // INVALID_ARGUMENT names `name`, the field and its value. Never null.
  static absl::StatusOr<std::shared_ptr<const BlockList>> Read(const common::config::Value& config,
                                                               std::string_view name);
  // The same from JSON text.
  static absl::StatusOr<std::shared_ptr<const BlockList>> ReadJson(std::string_view json,
                                                                   std::string_view name);

  // The rule that forbids it: `task.download.tags: "nightly"`.
  std::optional<std::string> Match(Action action, const Subject& subject) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rules;
  std::vector<std::unique_ptr<const Rules>> rules_;  // one for each list that there is
};

}  // namespace dragonfly::dfdaemon::node
