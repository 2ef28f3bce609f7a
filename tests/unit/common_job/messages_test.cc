#include "common/job/messages.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::common::job {
namespace {

TEST(PreheatRequest, IsReadAsAManagerOfUpstreamsWritesIt) {
  const auto request = ParsePreheatRequest(
      R"({"url":"","urls":["http://h/a","http://h/b"],"pieceLength":4194304,"tag":"t",)"
      R"("filtered_query_params":"a&b","headers":{"X-Kind":"k"},"application":"app","priority":3,)"
      R"("scope":"all_peers","ips":["10.0.0.1"],"percentage":50,"count":7,)"
      R"("concurrent_task_count":8,"concurrent_peer_count":500,"certificate_chain":["AAEC"],)"
      R"("insecure_skip_verify":true,"timeout":3600000000000,"group_uuid":"g","task_uuid":"u",)"
      R"("object_storage":{"region":"r","insecure_skip_verify":false},)"
      R"("hdfs":{"delegation_token":"d"},"output_path":"/o"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->urls, (std::vector<std::string>{"http://h/a", "http://h/b"}));
  EXPECT_EQ(request->piece_length, 4194304U);
  EXPECT_EQ(request->filtered_query_params, "a&b");
  EXPECT_EQ(request->headers.at("X-Kind"), "k");
  EXPECT_EQ(request->priority, 3);
  EXPECT_EQ(request->scope, "all_peers");
  EXPECT_EQ(request->percentage, 50U);
  EXPECT_EQ(request->count, 7U);
  EXPECT_EQ(request->certificate_chain, (std::vector<std::string>{std::string("\0\1\2", 3)}));
  EXPECT_TRUE(request->insecure_skip_verify);
  EXPECT_EQ(request->timeout, absl::Hours(1));
  EXPECT_EQ(request->object_storage->region, "r");
  EXPECT_EQ(request->object_storage->insecure_skip_verify, false);
  EXPECT_EQ(request->hdfs_delegation_token, "d");
  const auto again = ParsePreheatRequest(PreheatRequestJson(*request));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *request);
}

TEST(PreheatRequest, NullsMissingFieldsAndOtherCasesAreFine) {
  const auto request = ParsePreheatRequest(
      R"({"URL":"http://h/old","urls":null,"piecelength":null,"headers":null,"object_storage":null,)"
      R"("hdfs":{},"something":"new"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->urls, (std::vector<std::string>{"http://h/old"}));
  EXPECT_FALSE(request->piece_length.has_value());
  EXPECT_EQ(request->hdfs_delegation_token, "");
  const auto again = ParsePreheatRequest(PreheatRequestJson(*request));
  EXPECT_EQ(*again, *request);
}

TEST(PreheatRequest, Sec_WrongTypesAreRefusedByFieldWithoutValues) {
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, std::string>>{{"urls", R"("canary")"},
                                                        {"urls", "[7]"},
                                                        {"pieceLength", "-1"},
                                                        {"pieceLength", R"("canary")"},
                                                        {"headers", R"(["canary"])"},
                                                        {"headers", R"({"Authorization":7})"},
                                                        {"priority", "1.5"},
                                                        {"priority", "99999999999999999999"},
                                                        {"priority", "18446744073709551615"},
                                                        {"certificate_chain", R"(["*canary*"])"},
                                                        {"timeout", "-1"},
                                                        {"timeout", R"("1h")"},
                                                        {"object_storage", R"("canary")"},
                                                        {"object_storage.access_key_secret", ""},
                                                        {"hdfs.delegation_token", ""}}) {
    std::string text = "{\"" + field + "\":" + value + "}";
    if (field.starts_with("object_storage."))
      text = R"({"object_storage":{"access_key_secret":7}})";
    if (field.starts_with("hdfs.")) text = R"({"hdfs":{"delegation_token":["canary"]}})";
    const auto request = ParsePreheatRequest(text);
    EXPECT_TRUE(absl::IsInvalidArgument(request.status())) << text;
    EXPECT_EQ(request.status().message().substr(0, field.size()), field) << request.status();
    EXPECT_EQ(request.status().message().find("canary"), absl::string_view::npos);
  }
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("canary"), std::string(100'000, '[')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePreheatRequest(text).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(ParseTaskRequest(text).status()));
  }
}

TEST(TaskRequest, IsReadAndWritten) {
  const std::string text =
      R"({"task_id":"t","timeout":1000000000,"group_uuid":"g","task_uuid":"u",)"
      R"("concurrent_peer_count":5})";
  const auto request = ParseTaskRequest(text);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->task_id, "t");
  EXPECT_EQ(request->timeout, absl::Seconds(1));
  EXPECT_EQ(request->concurrent_peer_count, 5);
  EXPECT_EQ(TaskRequestJson(*request), text);
}

TEST(Responses, AreWrittenWithUpstreamsNames) {
  PreheatResponse preheat;
  preheat.scheduler_cluster_id = 2;
  preheat.succeeded = {{"http://h/a", "host", "10.0.0.1", "not shown"}};
  preheat.failed = {{"http://h/b", "host", "10.0.0.1", "why"}};
  EXPECT_EQ(PreheatResponseJson(preheat),
            R"({"success_tasks":[{"url":"http://h/a","hostname":"host","ip":"10.0.0.1"}],)"
            R"("failure_tasks":[{"url":"http://h/b","hostname":"host","ip":"10.0.0.1",)"
            R"("description":"why"}],"scheduler_cluster_id":2})");
  GetTaskResponse found;
  found.peers = {{"id", "host", "10.0.0.1", "super", absl::FromUnixSeconds(0),
                  absl::FromUnixSeconds(1), true}};
  EXPECT_EQ(GetTaskResponseJson(found),
            R"({"peers":[{"id":"id","hostname":"host","ip":"10.0.0.1","host_type":"super",)"
            R"("created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:01Z",)"
            R"("IsFinished":true}],"scheduler_cluster_id":0})");
  DeleteTaskResponse deleted;
  deleted.failed = {{"host", "10.0.0.1", "normal", "why"}};
  EXPECT_EQ(DeleteTaskResponseJson(deleted),
            R"({"success_tasks":[],"failure_tasks":[{"hostname":"host","ip":"10.0.0.1",)"
            R"("host_type":"normal","description":"why"}],"scheduler_cluster_id":0})");
}

TEST(Responses, HostsHaveTheNamesOfGo) {
  EXPECT_EQ(SyncPeersResponseJson({}), "[]");
  SyncedHost host;
  host.id = "id";
  host.type = 1;
  host.port = 4000;
  host.idc = "here";
  host.git_version = "v";
  host.scheduler_cluster_id = 3;
  EXPECT_EQ(SyncPeersResponseJson({host}),
            R"([{"ID":"id","Type":1,"Hostname":"","IP":"","Port":4000,"DownloadPort":0,)"
            R"("ProxyPort":0,"ObjectStoragePort":0,"OS":"","Platform":"","PlatformFamily":"",)"
            R"("PlatformVersion":"","KernelVersion":"","Network":{"IDC":"here","Location":""},)"
            R"("Build":{"GitVersion":"v","GitCommit":"","Platform":""},"SchedulerClusterID":3}])");
}

}  // namespace
}  // namespace dragonfly::common::job
