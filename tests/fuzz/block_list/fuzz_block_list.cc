// What an administrator has forbidden: any configuration is a list or is refused by name, and a
// list forbids what is written in it and nothing else.

#include <re2/re2.h>

#include <algorithm>
#include <string>

#include "common/config/value.h"
#include "dfdaemon/node/block_list.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::config::Value;
using dfdaemon::node::BlockList;

// The value of the last key of that name that is not null; BlockList takes the first that is there,
// and JSON keeps one of each.
const Value* Find(const Value* map, std::string_view name) {
  if (map == nullptr || map->kind != Value::Kind::kMap) return nullptr;
  for (const auto& [key, value] : map->map) {
    if (key == name && value.kind != Value::Kind::kNull) return &value;
  }
  return nullptr;
}

bool Names(const Value* rules, std::string_view key, std::string_view text) {
  const Value* list = Find(rules, key);
  return list != nullptr && !text.empty() &&
         std::ranges::any_of(list->list, [&](const Value& value) { return value.scalar == text; });
}

bool AnyPattern(const Value* rules, const std::string& url) {
  const Value* list = Find(rules, "urls");
  return list != nullptr && std::ranges::any_of(list->list, [&](const Value& value) {
           return !value.scalar.empty() && re2::RE2::PartialMatch(url, value.scalar);
         });
}

void TryList(FuzzedDataProvider& input) {
  const std::string application = input.ConsumeRandomLengthString(8);
  const std::string tag = input.ConsumeRandomLengthString(8);
  const std::string url = input.ConsumeRandomLengthString(32);
  const int priority = input.ConsumeIntegralInRange<int>(0, 6);
  const std::string json = input.ConsumeRemainingBytesAsString();
  const auto list = BlockList::ReadJson(json, "input");
  if (!list.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(list.status()));
    FUZZ_CHECK(list.status().message().substr(0, 5) == "input");
    return;
  }
  FUZZ_CHECK(*list != nullptr);
  BlockList::Subject subject;
  subject.application = application;
  subject.tag = tag;
  subject.url = url;
  subject.priority = priority;
  const auto download = (*list)->Match(BlockList::Action::kDownload, subject);
  const auto upload = (*list)->Match(BlockList::Action::kUpload, subject);
  FUZZ_CHECK(!download || download->starts_with("task.download."));
  FUZZ_CHECK(!upload || upload->starts_with("task.upload."));
  FUZZ_CHECK(!(*list)->empty() || (!download && !upload));

  const auto config = common::config::ParseJson(json, "input");
  FUZZ_CHECK(config.ok());
  // Two spellings of one name are a question of their own.
  if (Find(&*config, "blockList") != nullptr) return;
  const Value* rules = Find(Find(Find(&*config, "block_list"), "task"), "download");
  const bool forbidden = Names(rules, "applications", application) || Names(rules, "tags", tag) ||
                         AnyPattern(rules, url);
  FUZZ_CHECK(!forbidden || download.has_value());
  FUZZ_CHECK(forbidden || !download || download->starts_with("task.download.priorities: "));
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  dragonfly::fuzz::TryList(input);
  return 0;
}
