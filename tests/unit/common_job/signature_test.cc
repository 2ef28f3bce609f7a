#include "common/job/signature.h"

#include <gtest/gtest.h>

#include <string>

#include "common/job/time_text.h"

namespace dragonfly::common::job {
namespace {

// As a manager of upstream's writes them.
const std::string kPreheatText =
    R"({"UUID":"task_8d9f3b1e-1111-4222-8333-944455556666","Name":"preheat",)"
    R"("RoutingKey":"scheduler_1_host_10.0.0.1","ETA":null,"GroupUUID":"group_a","GroupTaskCount":2,)"
    R"("Args":[{"Name":"","Type":"string","Value":"{\"urls\":[\"http://h/a\"]}"}],"Headers":null,)"
    R"("Priority":0,"Immutable":false,"RetryCount":0,"RetryTimeout":0,"OnSuccess":null,)"
    R"("OnError":null,"ChordCallback":null,"BrokerMessageGroupId":"","SQSReceiptHandle":"",)"
    R"("StopTaskDeletionOnError":false,"IgnoreWhenTaskNotRegistered":false})";

TEST(Signature, IsReadAndWrittenAsUpstreamDoes) {
  const auto signature = ParseSignature(kPreheatText);
  ASSERT_TRUE(signature.ok()) << signature.status();
  EXPECT_EQ(signature->uuid, "task_8d9f3b1e-1111-4222-8333-944455556666");
  EXPECT_EQ(signature->name, "preheat");
  EXPECT_EQ(signature->routing_key, "scheduler_1_host_10.0.0.1");
  EXPECT_EQ(signature->group_uuid, "group_a");
  EXPECT_EQ(signature->group_task_count, 2);
  EXPECT_EQ(*signature->argument, R"({"urls":["http://h/a"]})");
  EXPECT_EQ(SignatureJson(*signature), kPreheatText);
}

TEST(Signature, SyncPeersHasNoArgument) {
  for (const char* args : {"null", "[]"}) {
    const auto signature =
        ParseSignature(R"({"UUID":"task_1","Name":"sync_peers","Args":)" + std::string(args) + "}");
    ASSERT_TRUE(signature.ok()) << signature.status();
    EXPECT_FALSE(signature->argument.has_value());
  }
  EXPECT_FALSE(ParseSignature(R"({"UUID":"task_1","Name":"sync_peers"})")->argument.has_value());
}

TEST(Signature, Sec_GarbageIsRefusedAndItsIdSavedWhereThereIsOne) {
  for (const std::string& text : {std::string(), std::string("garbage"), std::string("[]"),
                                  std::string("{}"), std::string(R"({"UUID":7,"Name":"preheat"})"),
                                  std::string(R"({"UUID":"","Name":"preheat"})"),
                                  std::string("{\"UUID\":\"a\\nb\",\"Name\":\"preheat\"}"),
                                  R"({"UUID":")" + std::string(300, 'a') + R"(","Name":"preheat"})",
                                  std::string("\xff\x00", 2), std::string(1'000'000, '['),
                                  R"({"UUID":"task_1","x":)" + std::string(1000, '{')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSignature(text).status())) << text.substr(0, 60);
    EXPECT_FALSE(SalvageUuid(text).has_value()) << text.substr(0, 60);
  }
  for (const std::string& rest :
       {std::string(R"("Name":7)"), std::string(R"("Args":[])"),
        std::string(R"("Name":"preheat","Args":7)"), std::string(R"("Name":"preheat","Args":[7])"),
        std::string(R"("Name":"preheat","Args":[{"Type":"int64","Value":7}])"),
        std::string(R"("Name":"preheat","Args":[{"Type":"string","Value":7}])"),
        std::string(R"("Name":"preheat","Args":[{"Type":"string","Value":"canary"},{}])")}) {
    const std::string text = R"({"UUID":"task_1",)" + rest + "}";
    const auto signature = ParseSignature(text);
    EXPECT_TRUE(absl::IsInvalidArgument(signature.status())) << text;
    EXPECT_EQ(signature.status().message().find("canary"), absl::string_view::npos);
    EXPECT_EQ(SalvageUuid(text), "task_1");
  }
}

TEST(TaskState, IsWrittenAsUpstreamDoes) {
  TaskState state;
  state.uuid = "task_1";
  state.name = "preheat";
  state.created = absl::FromUnixSeconds(1'700'000'000) + absl::Nanoseconds(120'000'000);
  EXPECT_EQ(TaskStateJson(state),
            R"({"TaskUUID":"task_1","TaskName":"preheat","State":"PENDING","Results":null,)"
            R"("Error":"","CreatedAt":"2023-11-14T22:13:20.12Z","TTL":0})");
  state.state = State::kSuccess;
  state.result = R"({"a":1})";
  EXPECT_EQ(TaskStateJson(state), R"({"TaskUUID":"task_1","TaskName":"preheat","State":"SUCCESS",)"
                                  R"("Results":[{"Type":"string","Value":"{\"a\":1}"}],"Error":"",)"
                                  R"("CreatedAt":"2023-11-14T22:13:20.12Z","TTL":0})");
  const auto read = ParseTaskState(TaskStateJson(state));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, state);
  state = TaskState();
  state.state = State::kFailure;
  state.error = "all 3 targets failed: \xff";
  EXPECT_EQ(ParseTaskState(TaskStateJson(state))->error, "all 3 targets failed: \xef\xbf\xbd");
  for (const char* text : {"", "[]", "{}", R"({"State":"RUNNING"})", R"({"State":7})"})
    EXPECT_FALSE(ParseTaskState(text).ok()) << text;
}

TEST(TimeText, IsTheOneOfGo) {
  EXPECT_EQ(TimeText(absl::FromUnixSeconds(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(TimeText(absl::FromUnixSeconds(1) + absl::Nanoseconds(1)),
            "1970-01-01T00:00:01.000000001Z");
  EXPECT_EQ(TimeText(absl::InfinitePast()), "0001-01-01T00:00:00Z");
  EXPECT_EQ(TimeText(absl::InfiniteFuture()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(TimeOf("2023-11-14T23:13:20.5+01:00"),
            absl::FromUnixSeconds(1'700'000'000) + absl::Milliseconds(500));
  for (const char* text : {"", "yesterday", "2023-11-14"})
    EXPECT_EQ(TimeOf(text), absl::InfinitePast()) << text;
}

TEST(SchedulerQueue, IsNamedByClusterHostAndAddress) {
  EXPECT_EQ(SchedulerQueue(7, "host.example", "10.0.0.1"), "scheduler_7_host.example_10.0.0.1");
}

}  // namespace
}  // namespace dragonfly::common::job
