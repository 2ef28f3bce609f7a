#include "dfdaemon/node/block_list.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::config::Value;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;

constexpr size_t kMaxListEntries = 10'000;
constexpr size_t kMaxPatternBytes = 4096;

absl::Status Wrong(std::string_view field, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat(Sv(field), ": ", Sv(what)));
}

// The manager writes persistent_task, dynconfig.yaml persistentTask.
const Value* Member(const Value& map, std::string_view snake, std::string_view camel) {
  for (const auto& [name, value] : map.map) {
    if ((name == snake || name == camel) && value.kind != Value::Kind::kNull) return &value;
  }
  return nullptr;
}

// The texts of a list; what is empty would match everything that names nothing, and is left out.
absl::Status ReadTexts(const Value& map, std::string_view key, const std::string& field,
                       std::vector<std::string>& out) {
  const Value* list = Member(map, key, key);
  if (list == nullptr) return absl::OkStatus();
  const std::string at = absl::StrCat(field, ".", Sv(key));
  if (list->kind != Value::Kind::kList || list->list.size() > kMaxListEntries) {
    return Wrong(at, "is no list of at most 10000 values; write it in square brackets");
  }
  for (const Value& value : list->list) {
    if (value.kind != Value::Kind::kScalar) return Wrong(at, "has a value that is no text");
    if (!value.scalar.empty()) out.push_back(value.scalar);
  }
  return absl::OkStatus();
}

struct KindNames {
  TaskKind kind;
  std::string_view snake;
  std::string_view camel;
};
constexpr KindNames kKinds[] = {
    {TaskKind::kStandard, "task", "task"},
    {TaskKind::kPersistent, "persistent_task", "persistentTask"},
    {TaskKind::kPersistentCache, "persistent_cache_task", "persistentCacheTask"},
};

bool Contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

}  // namespace

struct BlockList::Rules {
  Action action = Action::kDownload;
  TaskKind kind = TaskKind::kStandard;
  std::string field;  // "task.download"
  std::vector<std::string> applications;
  std::vector<std::string> tags;
  std::vector<int> priorities;
  std::vector<std::unique_ptr<re2::RE2>> urls;

  absl::Status Load(const Value& value, const std::string& at);
  std::optional<std::string> Match(const Subject& subject) const;
};

absl::Status BlockList::Rules::Load(const Value& value, const std::string& at) {
  if (value.kind != Value::Kind::kMap) return Wrong(at, "is no map of lists");
  std::vector<std::string> patterns;
  std::vector<std::string> numbers;
  absl::Status read = ReadTexts(value, "applications", at, applications);
  if (read.ok()) read = ReadTexts(value, "tags", at, tags);
  if (read.ok()) read = ReadTexts(value, "urls", at, patterns);
  if (read.ok()) read = ReadTexts(value, "priorities", at, numbers);
  if (!read.ok()) return read;
  re2::RE2::Options options;
  options.set_log_errors(false);
  for (const std::string& pattern : patterns) {
    auto compiled = std::make_unique<re2::RE2>(pattern, options);
    if (!compiled->ok() || pattern.size() > kMaxPatternBytes) {
      return Wrong(at + ".urls", absl::StrCat("'", pattern.substr(0, 128),
                                              "' is no pattern of at most 4096 bytes: ",
                                              compiled->error(), "; write it in RE2 syntax"));
    }
    urls.push_back(std::move(compiled));
  }
  for (const std::string& number : numbers) {
    const auto parsed = common::status::ParseInteger<int>(number);
    if (!parsed.has_value()) {
      return Wrong(at + ".priorities", absl::StrCat("'", number, "' is no number; use 0 to 6"));
    }
    priorities.push_back(*parsed);
  }
  return absl::OkStatus();
}

std::optional<std::string> BlockList::Rules::Match(const Subject& subject) const {
  if (Contains(applications, subject.application)) {
    return absl::StrCat(field, ".applications: \"", Sv(subject.application), "\"");
  }
  if (Contains(tags, subject.tag)) {
    return absl::StrCat(field, ".tags: \"", Sv(subject.tag), "\"");
  }
  if (std::find(priorities.begin(), priorities.end(), subject.priority) != priorities.end()) {
    return absl::StrCat(field, ".priorities: ", subject.priority);
  }
  const re2::StringPiece url(subject.url.data(), subject.url.size());
  for (const auto& pattern : urls) {
    if (re2::RE2::PartialMatch(url, *pattern)) {
      return absl::StrCat(field, ".urls: \"", pattern->pattern(), "\"");
    }
  }
  return std::nullopt;
}

BlockList::BlockList() = default;
BlockList::~BlockList() = default;

absl::StatusOr<std::shared_ptr<const BlockList>> BlockList::Read(const Value& config,
                                                                 std::string_view name) {
  auto list = std::make_shared<BlockList>();
  if (config.kind == Value::Kind::kNull) return std::shared_ptr<const BlockList>(std::move(list));
  if (config.kind != Value::Kind::kMap) return Wrong(name, "is no map");
  const Value* blocks = Member(config, "block_list", "blockList");
  if (blocks == nullptr) return std::shared_ptr<const BlockList>(std::move(list));
  const std::string at = absl::StrCat(Sv(name), ".block_list");
  if (blocks->kind != Value::Kind::kMap) return Wrong(at, "is no map");
  for (const KindNames& kind : kKinds) {
    const Value* of_kind = Member(*blocks, kind.snake, kind.camel);
    if (of_kind == nullptr) continue;
    if (of_kind->kind != Value::Kind::kMap) {
      return Wrong(absl::StrCat(at, ".", Sv(kind.snake)), "is no map");
    }
    for (const Action action : {Action::kDownload, Action::kUpload}) {
      const std::string_view word = action == Action::kDownload ? "download" : "upload";
      const Value* value = Member(*of_kind, word, word);
      if (value == nullptr) continue;
      auto rules = std::make_unique<Rules>();
      rules->action = action;
      rules->kind = kind.kind;
      rules->field = absl::StrCat(Sv(kind.snake), ".", Sv(word));
      absl::Status loaded = rules->Load(*value, absl::StrCat(at, ".", rules->field));
      if (!loaded.ok()) return loaded;
      list->rules_.push_back(std::move(rules));
    }
  }
  return std::shared_ptr<const BlockList>(std::move(list));
}

absl::StatusOr<std::shared_ptr<const BlockList>> BlockList::ReadJson(std::string_view json,
                                                                     std::string_view name) {
  absl::StatusOr<Value> value = common::config::ParseJson(json, name);
  if (!value.ok()) return value.status();
  return Read(*value, name);
}

std::optional<std::string> BlockList::Match(Action action, const Subject& subject) const {
  for (const auto& rules : rules_) {
    if (rules->action != action || rules->kind != subject.kind) continue;
    if (auto rule = rules->Match(subject)) return rule;
  }
  return std::nullopt;
}

}  // namespace dragonfly::dfdaemon::node
