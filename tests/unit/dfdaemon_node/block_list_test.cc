#include "dfdaemon/node/block_list.h"

#include <gtest/gtest.h>

#include "common/status/strings.h"

namespace dragonfly::dfdaemon::node {
namespace {

using Action = BlockList::Action;
using common::id::TaskKind;

std::shared_ptr<const BlockList> Parse(const std::string& json) {
  auto list = BlockList::ReadJson(json, "client_config");
  EXPECT_TRUE(list.ok()) << list.status();
  return list.ok() ? *list : std::make_shared<BlockList>();
}

std::string Match(const BlockList& list, const BlockList::Subject& subject,
                  Action action = Action::kDownload) {
  return list.Match(action, subject).value_or("");
}

TEST(BlockList, BlocksByApplicationTagPriorityAndUrl) {
  const auto list = Parse(R"({"load_limit":200,"block_list":{"task":{"download":{
      "applications":["batch"],"tags":["nightly"],"priorities":[6],
      "urls":["/secret/","^http://old\\.example\\.com/"]}}}})");
  EXPECT_FALSE(list->empty());
  BlockList::Subject subject;
  subject.url = "http://example.com/file";
  EXPECT_EQ(Match(*list, subject), "");
  subject.application = "batch";
  EXPECT_EQ(Match(*list, subject), "task.download.applications: \"batch\"");
  subject.application = "batch2";
  subject.tag = "nightly";
  EXPECT_EQ(Match(*list, subject), "task.download.tags: \"nightly\"");
  subject.tag = "Nightly";
  subject.priority = 6;
  EXPECT_EQ(Match(*list, subject), "task.download.priorities: 6");
  subject.priority = 5;
  EXPECT_EQ(Match(*list, subject), "");
  subject.url = "http://example.com/a/secret/b";
  EXPECT_EQ(Match(*list, subject), "task.download.urls: \"/secret/\"");
  subject.url = "http://old.example.com/";
  EXPECT_EQ(Match(*list, subject), "task.download.urls: \"^http://old\\.example\\.com/\"");
  subject.url = "http://new/?http://old.example.com/";
  EXPECT_EQ(Match(*list, subject), "");
}

TEST(BlockList, KeepsKindsAndActionsApart) {
  const auto list = Parse(R"({"block_list":{
      "task":{"download":{"tags":["a"]}},
      "persistent_task":{"download":{"tags":["b"]},"upload":{"tags":["c"]}},
      "persistentCacheTask":{"upload":{"tags":["d"]}}}})");
  struct Case {
    TaskKind kind;
    Action action;
    const char* tag;
  };
  const Case blocked[] = {{TaskKind::kStandard, Action::kDownload, "a"},
                          {TaskKind::kPersistent, Action::kDownload, "b"},
                          {TaskKind::kPersistent, Action::kUpload, "c"},
                          {TaskKind::kPersistentCache, Action::kUpload, "d"}};
  for (const TaskKind kind : common::id::kAllTaskKinds) {
    for (const Action action : {Action::kDownload, Action::kUpload}) {
      for (const char* tag : {"a", "b", "c", "d"}) {
        bool expected = false;
        for (const Case& each : blocked) {
          expected = expected ||
                     (each.kind == kind && each.action == action && std::string(each.tag) == tag);
        }
        BlockList::Subject subject;
        subject.kind = kind;
        subject.tag = tag;
        EXPECT_EQ(Match(*list, subject, action) != "", expected) << tag;
      }
    }
  }
}

TEST(BlockList, BlocksNothingWhenThereIsNothing) {
  for (const char* json :
       {"", "null", "{}", R"({"block_list":null})", R"({"blockList":{}})",
        R"({"block_list":{"task":null}})", R"({"block_list":{"task":{"download":{}}}})",
        R"({"block_list":{"task":{"download":{"tags":[""],"applications":[],"urls":[""]}}}})"}) {
    const auto list = Parse(json);
    BlockList::Subject subject;
    subject.url = "http://example.com/";
    EXPECT_EQ(Match(*list, subject), "") << json;
  }
}

TEST(BlockList, RefusesWhatIsWrongAndNamesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "client_config: is not JSON"},
      {"[]", "client_config: is no map"},
      {R"({"block_list":[]})", "client_config.block_list: is no map"},
      {R"({"block_list":{"task":7}})", "block_list.task: is no map"},
      {R"({"block_list":{"task":{"download":[]}}})", "task.download: is no map"},
      {R"({"block_list":{"task":{"download":{"tags":"x"}}}})", "download.tags: is no list"},
      {R"({"block_list":{"task":{"download":{"tags":[{}]}}}})", "download.tags: has a value"},
      {R"({"block_list":{"task":{"download":{"urls":["("]}}}})", "download.urls: '('"},
      {R"({"block_list":{"task":{"download":{"priorities":["x"]}}}})", "priorities: 'x'"},
  };
  for (const auto& [json, named] : cases) {
    const absl::Status status = BlockList::ReadJson(json, "client_config").status();
    ASSERT_TRUE(absl::IsInvalidArgument(status)) << json;
    EXPECT_NE(common::status::MessageOf(status).find(named), std::string::npos) << status;
  }
}

TEST(BlockList, Sec_D28_PatternsThatExplodeElsewhereAreHarmless) {
  const auto list = Parse(R"({"block_list":{"task":{"download":{"urls":["(a+)+$"]}}}})");
  const std::string url = "http://e/" + std::string(32'000, 'a') + "b";
  BlockList::Subject subject;
  subject.url = url;
  EXPECT_EQ(Match(*list, subject), "");
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
