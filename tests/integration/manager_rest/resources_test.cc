// Rows of all kinds: what is written, what is shown, what is refused.

#include <thread>

#include "tests/integration/manager_rest/rest_fixture.h"

namespace dragonfly::manager::rest {
namespace {

class ResourcesTest : public RestFixture {
 protected:
  static json ClusterBody(const std::string& name) {
    return {{"name", name},
            {"scheduler_cluster_config", {{"candidate_parent_limit", 4}}},
            {"seed_peer_cluster_config", {{"load_limit", 100}}},
            {"peer_cluster_config", {{"load_limit", 50}}}};
  }
  static json SchedulerBody(const std::string& host, int64_t cluster = 1) {
    return {
        {"host_name", host}, {"ip", "10.0.0.1"}, {"port", 8002}, {"scheduler_cluster_id", cluster}};
  }
  static json SeedPeerBody(const std::string& host, int64_t cluster = 1) {
    return {{"host_name", host}, {"type", "super"},       {"ip", "10.0.0.2"},
            {"port", 4000},      {"download_port", 4001}, {"seed_peer_cluster_id", cluster}};
  }
  static std::string At(const std::string& path, int64_t id) {
    return path + "/" + std::to_string(id);
  }
};

TEST_F(ResourcesTest, AClusterIsBothOfItsHalves) {
  Start();
  const std::string path = "/api/v1/clusters";
  json body = ClusterBody("west");
  body["bio"] = "far away";
  body["scopes"] = {{"idc", "w1|w2"}, {"cidrs", {"10.0.0.0/8"}}, {"hostnames", {"^w-.*"}}};
  const Response made = Post(path, root(), body);
  ASSERT_EQ(made.status, 200) << made.body;
  const json cluster = made.Json();
  EXPECT_EQ(cluster["id"], 2);
  EXPECT_EQ(cluster["scheduler_cluster_id"], 2);
  EXPECT_EQ(cluster["seed_peer_cluster_id"], 2);
  EXPECT_EQ(cluster["scopes"], body["scopes"]);
  EXPECT_EQ(cluster["scheduler_cluster_config"], json({{"candidate_parent_limit", 4}}));
  EXPECT_EQ(cluster["seed_peer_cluster_config"], json({{"load_limit", 100}}));
  EXPECT_EQ(cluster["peer_cluster_config"], json({{"load_limit", 50}}));
  EXPECT_EQ(cluster["is_default"], false);
  EXPECT_EQ(cluster.size(), 12U) << "and nothing else";
  EXPECT_EQ(Get(At(path, 2), guest()).Json(), cluster);
  const json list = Get(path, guest()).Json();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["name"], "cluster-1");
  const json half = Get("/api/v1/scheduler-clusters/2", root()).Json();
  EXPECT_EQ(half["seed_client_config"], json({{"load_limit", 100}})) << "kept twice";
  EXPECT_EQ(half["seed_peer_clusters"][0]["name"], "west");
  EXPECT_TRUE(half["schedulers"].is_null());
  EXPECT_EQ(Get("/api/v1/seed-peer-clusters/2", root()).Json()["scheduler_clusters"][0]["id"], 2);
  EXPECT_EQ(Post(path, root(), body).status, 409);
  EXPECT_EQ(Count("scheduler_cluster"), 2) << "all or nothing";
  EXPECT_EQ(Delete(At(path, 2), root()).status, 200);
  EXPECT_EQ(Count("seed_peer_cluster"), 1);
  EXPECT_EQ(Count("seed_peer_cluster_scheduler_cluster"), 1);
  EXPECT_EQ(Delete(At(path, 2), root()).status, 404);
  EXPECT_EQ(Get(At(path, 2), root()).Json()["message"], "record not found");
}

TEST_F(ResourcesTest, NoClustersAreNullAsInTheOriginal) {
  Start();
  EXPECT_EQ(Get("/api/v1/clusters?name=none", root()).body, "null");
  EXPECT_EQ(Get("/api/v1/schedulers", root()).body, "[]");
}

TEST_F(ResourcesTest, AChangeWritesWhatIsSentAndNothingElse) {
  Start();
  const std::string path = "/api/v1/clusters/1";
  const json before = Get(path, root()).Json();
  ASSERT_EQ(before["is_default"], true);
  json changed = Patch(path, root(), {{"bio", "here"}}).Json();
  EXPECT_EQ(changed["bio"], "here");
  EXPECT_EQ(changed["is_default"], true) << "not sent";
  EXPECT_EQ(changed["scheduler_cluster_config"], before["scheduler_cluster_config"]);
  changed = Patch(path, root(), {{"bio", ""}, {"is_default", false}, {"name", nullptr}}).Json();
  EXPECT_EQ(changed["bio"], "") << "sent empty";
  EXPECT_EQ(changed["is_default"], false) << "sent false";
  EXPECT_EQ(changed["name"], "cluster-1") << "null is not sent";
  EXPECT_EQ(Patch(path, root(), {{"name", ""}}).status, 422) << "must have one";
  EXPECT_EQ(Patch(path, root(), json::object()).status, 200);
  const Response scheduler = Post("/api/v1/schedulers", root(), SchedulerBody("s"));
  ASSERT_EQ(scheduler.status, 200) << scheduler.body;
  const std::string its = At("/api/v1/schedulers", scheduler.Json()["id"]);
  EXPECT_EQ(Patch(its, root(), {{"idc", "x"}}).Json()["idc"], "x");
  EXPECT_EQ(Patch(its, root(), {{"idc", ""}}).Json()["idc"], "");
  EXPECT_EQ(Patch(its, root(), {{"port", 0}}).status, 422);
  EXPECT_EQ(Patch(its, root(), {{"scheduler_id", 7}}).status, 200) << "accepted and ignored";
  const Response empty = Patch(its, root(), {{"features", json::array()}});
  EXPECT_EQ(empty.Json()["features"], json::array());
}

TEST_F(ResourcesTest, OnlyOneClusterIsTheDefault) {
  Start();
  json body = ClusterBody("second");
  body["is_default"] = true;
  EXPECT_EQ(Post("/api/v1/clusters", root(), body).status, 200);
  const auto defaults = [&] {
    int count = 0;
    for (const json& each : Get("/api/v1/scheduler-clusters", root()).Json())
      count += each["is_default"].get<bool>() ? 1 : 0;
    return count;
  };
  EXPECT_EQ(defaults(), 1);
  EXPECT_EQ(Get("/api/v1/clusters/1", root()).Json()["is_default"], false);
  EXPECT_EQ(Patch("/api/v1/scheduler-clusters/1", root(), {{"is_default", true}}).status, 200);
  EXPECT_EQ(defaults(), 1);
  std::vector<std::thread> threads;
  for (int id = 1; id <= 2; ++id) {
    threads.emplace_back([this, id] {
      for (int i = 0; i < 5; ++i) Patch(At("/api/v1/clusters", id), root(), {{"is_default", true}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(defaults(), 1);
}

TEST_F(ResourcesTest, AClusterThatIsUsedStays) {
  Start();
  const int64_t scheduler = Post("/api/v1/schedulers", root(), SchedulerBody("s")).Json()["id"];
  const Response used = Delete("/api/v1/clusters/1", root());
  EXPECT_EQ(used.status, 409);
  EXPECT_EQ(used.Json()["message"], "scheduler cluster exists scheduler");
  EXPECT_EQ(Delete("/api/v1/scheduler-clusters/1", root()).status, 409);
  EXPECT_EQ(Delete(At("/api/v1/schedulers", scheduler), root()).status, 200);
  const int64_t seed = Post("/api/v1/seed-peers", root(), SeedPeerBody("p")).Json()["id"];
  const Response seeds = Delete("/api/v1/clusters/1", root());
  EXPECT_EQ(seeds.status, 409) << "the original leaves orphans";
  EXPECT_EQ(seeds.Json()["message"], "seed peer cluster exists seed peer");
  EXPECT_EQ(Delete("/api/v1/seed-peer-clusters/1", root()).status, 409);
  EXPECT_EQ(Delete(At("/api/v1/seed-peers", seed), root()).status, 200);
  EXPECT_EQ(Delete("/api/v1/clusters/1", root()).status, 200);
}

TEST_F(ResourcesTest, OneBadRowLeavesTheListWhole) {
  Start();
  EXPECT_EQ(Post("/api/v1/clusters", root(), ClusterBody("good")).status, 200);
  Execute("DELETE FROM seed_peer_cluster_scheduler_cluster WHERE scheduler_cluster_id = 1");
  Execute("UPDATE scheduler_cluster SET config = 'not json' WHERE id = 1");
  const Response list = Get("/api/v1/clusters", root());
  ASSERT_EQ(list.status, 200) << list.body;
  EXPECT_EQ(list.Json().size(), 2U);
  EXPECT_EQ(list.Json()[0]["seed_peer_cluster_id"], 0);
  EXPECT_TRUE(list.Json()[0]["scheduler_cluster_config"].is_null());
  EXPECT_EQ(Get("/api/v1/scheduler-clusters", root()).Json().size(), 2U);
  const Response change = Patch("/api/v1/clusters/1", root(), {{"bio", "x"}});
  EXPECT_EQ(change.status, 409);
  EXPECT_EQ(change.Json()["message"], "invalid number of the seed peer cluster");
  EXPECT_EQ(Delete("/api/v1/clusters/1", root()).status, 200) << "but it can go";
}

TEST_F(ResourcesTest, LinksMoveWhatTheyName) {
  Start();
  Post("/api/v1/clusters", root(), ClusterBody("second"));
  Post("/api/v1/schedulers", root(), SchedulerBody("s"));
  Post("/api/v1/seed-peers", root(), SeedPeerBody("p"));
  EXPECT_EQ(Put("/api/v1/scheduler-clusters/2/schedulers/1", root()).status, 200);
  EXPECT_EQ(Get("/api/v1/schedulers/1", root()).Json()["scheduler_cluster_id"], 2);
  EXPECT_EQ(Put("/api/v1/seed-peer-clusters/2/seed-peers/1", root()).status, 200);
  EXPECT_EQ(Get("/api/v1/seed-peers/1", root()).Json()["seed_peer_cluster_id"], 2);
  EXPECT_EQ(Put("/api/v1/seed-peer-clusters/2/scheduler-clusters/1", root()).status, 200);
  EXPECT_EQ(Get("/api/v1/clusters/1", root()).Json()["seed_peer_cluster_id"], 2);
  EXPECT_EQ(Get("/api/v1/seed-peer-clusters/1", root()).Json()["scheduler_clusters"].size(), 0U);
  EXPECT_EQ(Put("/api/v1/scheduler-clusters/9/schedulers/1", root()).status, 404);
  EXPECT_EQ(Put("/api/v1/scheduler-clusters/1/schedulers/9", root()).status, 404);
  EXPECT_EQ(Put("/api/v1/seed-peer-clusters/2/scheduler-clusters/9", root()).status, 404);
  // Two share their seed peers now: deleting one leaves them to the other.
  EXPECT_EQ(Delete("/api/v1/clusters/1", root()).status, 200);
  EXPECT_EQ(Get("/api/v1/seed-peer-clusters/2", root()).status, 200);
}

TEST_F(ResourcesTest, ASchedulerClusterNamesItsSeedPeers) {
  Start();
  json body = {{"name", "third"},
               {"config", json::object()},
               {"client_config", json::object()},
               {"seed_client_config", json::object()},
               {"seed_peer_cluster_id", 1}};
  const Response made = Post("/api/v1/scheduler-clusters", root(), body);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.Json()["seed_peer_clusters"][0]["id"], 1);
  body["name"] = "fourth";
  body["seed_peer_cluster_id"] = 77;
  EXPECT_EQ(Post("/api/v1/scheduler-clusters", root(), body).status, 422);
  EXPECT_EQ(Count("scheduler_cluster"), 2) << "nothing is left of it";
}

TEST_F(ResourcesTest, NodesAreShownWithTheirClusters) {
  Start();
  const json scheduler = Post("/api/v1/schedulers", root(), SchedulerBody("s")).Json();
  EXPECT_EQ(scheduler["state"], "inactive");
  EXPECT_EQ(scheduler["features"], json({"schedule", "preheat"}));
  EXPECT_EQ(scheduler["last_keep_alive_at"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(scheduler["scheduler_cluster"]["name"], "cluster-1");
  EXPECT_TRUE(scheduler["config"].is_null());
  EXPECT_EQ(Post("/api/v1/schedulers", root(), SchedulerBody("s")).status, 409);
  EXPECT_EQ(Post("/api/v1/schedulers", root(), SchedulerBody("t", 44)).status, 422);
  const Response seed = Post("/api/v1/seed-peers", root(), SeedPeerBody("p"));
  EXPECT_EQ(seed.Json()["seed_peer_cluster"]["name"], "cluster-1");
  EXPECT_EQ(seed.Json()["object_storage_port"], 0);
  json peer = SchedulerBody("h");
  peer.update({{"type", "normal"},
               {"download_port", 1},
               {"proxy_port", 2},
               {"os", "linux"},
               {"state", "active"}});
  const Response made = Post("/api/v1/peers", root(), peer);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.Json()["scheduler_cluster"]["id"], 1);
  EXPECT_EQ(Get("/api/v1/peers?type=normal&os=linux", guest()).Json().size(), 1U);
  EXPECT_EQ(Get("/api/v1/peers?type=super", guest()).Json().size(), 0U);
  EXPECT_EQ(Get("/api/v1/seed-peers?state=inactive", guest()).Json().size(), 1U);
  EXPECT_EQ(Get("/api/v1/seed-peers?state=active", guest()).Json().size(), 0U)
      << "the original forgets this filter";
  EXPECT_EQ(Get("/api/v1/seed-peers?state=asleep", guest()).status, 422);
  EXPECT_EQ(Get("/api/v1/seed-peers?port=4000&ip=10.0.0.2", guest()).Json().size(), 1U);
  EXPECT_EQ(Get("/api/v1/seed-peers?port=0&ip=", guest()).Json().size(), 1U) << "no filters";
  EXPECT_EQ(Get("/api/v1/seed-peers?port=x", guest()).status, 422);
  EXPECT_EQ(Get("/api/v1/scheduler-features", guest()).Json(), json({"schedule", "preheat"}));
  EXPECT_EQ(Send({"PATCH", "/api/v1/peers/1", root(), "{}", {}}).status, 405);
}

TEST_F(ResourcesTest, RulesAreNamedWithFieldValueAndBounds) {
  Start();
  json body = ClusterBody("bad");
  body["scheduler_cluster_config"] = {{"candidate_parent_limit", 21}, {"filter_parent_limit", 5}};
  body["peer_cluster_config"] = {
      {"block_list", {{"task", {{"download", {{"urls", {"("}}, {"priorities", {"x"}}}}}}}}};
  const Response refused = Post("/api/v1/clusters", root(), body);
  ASSERT_EQ(refused.status, 422) << refused.body;
  const std::string errors = refused.Json()["errors"];
  for (const char* part :
       {"scheduler_cluster_config.candidate_parent_limit is 21; it must be integer from 1 to 20",
        "scheduler_cluster_config.filter_parent_limit is 5",
        "peer_cluster_config.block_list.task.download.urls[0] is no pattern",
        "peer_cluster_config.block_list.task.download.priorities[0] is a text"}) {
    EXPECT_NE(errors.find(part), std::string::npos) << errors;
  }
  body = ClusterBody("bad");
  body["scopes"] = {{"cidrs", {"10.0.0.0/99"}}};
  EXPECT_NE(Post("/api/v1/clusters", root(), body).body.find("scopes.cidrs[0]"), std::string::npos);
  body = ClusterBody("zeros");
  body["scheduler_cluster_config"] = {{"candidate_parent_limit", 0}, {"job_rate_limit", 5}};
  const Response zero = Post("/api/v1/clusters", root(), body);
  ASSERT_EQ(zero.status, 200) << "0 is how clients of the original leave it out: " << zero.body;
  EXPECT_EQ(zero.Json()["scheduler_cluster_config"], json({{"job_rate_limit", 5}}));
  EXPECT_EQ(Post("/api/v1/clusters", root(), {{"name", "x"}}).status, 422);
  EXPECT_EQ(Get("/api/v1/clusters/x", root()).status, 422);
  EXPECT_EQ(Get("/api/v1/clusters/0", root()).status, 422);
}

TEST_F(ResourcesTest, Sec_B16_IdsAreWholeNumbersOrNothing) {
  Start();
  for (const char* id : {"-1", "0", "1e3", "1%20", "0x1", "18446744073709551616", "+1", "01x"})
    EXPECT_EQ(Get(std::string("/api/v1/schedulers/") + id, root()).status, 422) << id;
}

TEST_F(ResourcesTest, ConfigsAndApplicationsBelongToWhoWritesThem) {
  Start();
  const Response config = Post("/api/v1/configs", root(), {{"name", "n"}, {"value", "v"}});
  ASSERT_EQ(config.status, 200) << config.body;
  EXPECT_EQ(config.Json()["user_id"], root_id_);
  EXPECT_EQ(config.Json()["user"]["name"], "root");
  EXPECT_EQ(
      Post("/api/v1/configs", root(), {{"name", "m"}, {"value", std::string(1025, 'v')}}).status,
      422);
  const json application = {
      {"name", "a"},
      {"url", "https://example.org"},
      {"priority", {{"value", 0}, {"urls", {{{"regex", "^x"}, {"value", 3}}}}}}};
  const Response made = Post("/api/v1/applications", root(), application);
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.Json()["priority"], application["priority"]);
  EXPECT_EQ(Get("/api/v1/applications?name=b", root()).Json().size(), 0U)
      << "the original forgets this filter";
  EXPECT_EQ(Get("/api/v1/applications", guest()).Json()[0]["user"]["email"], "")
      << "of others only the name is shown";
}

TEST_F(ResourcesTest, TheConfigurationOfCleaningUpStaysReadable) {
  Start();
  const auto put = [&](const char* value) {
    return Patch("/api/v1/configs/1", root(), {{"value", value}}).status;
  };
  EXPECT_EQ(put("{}"), 422);
  EXPECT_EQ(put(R"({"audit":{"ttl":1}})"), 422);
  EXPECT_EQ(put(R"({"audit":{"ttl":"x"},"job":{"ttl":1}})"), 422);
  EXPECT_EQ(put("nonsense"), 422);
  EXPECT_EQ(put(R"({"audit":{"ttl":1000},"job":{"ttl":1000}})"), 200);
}

TEST_F(ResourcesTest, Sec_S3_ValuesThatAreSecretAreRootsToRead) {
  Start();
  Post("/api/v1/configs", root(), {{"name", "registry_password"}, {"value", "canary-value"}});
  Post("/api/v1/roles", root(),
       {{"role", "reader"}, {"permissions", {{{"object", "configs"}, {"action", "read"}}}}});
  Put(At("/api/v1/users", guest_id_) + "/roles/reader", root());
  const Response shown = Get("/api/v1/configs", guest());
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.body.find("canary-value"), std::string::npos);
  EXPECT_NE(Get("/api/v1/configs", root()).body.find("canary-value"), std::string::npos);
}

TEST_F(ResourcesTest, Sec_D21_SecretsOfProvidersAreWrittenNeverRead) {
  Start();
  const Response made = Post("/api/v1/oauth", root(),
                             {{"name", "github"},
                              {"client_id", "id"},
                              {"client_secret", "canary-secret"},
                              {"redirect_url", "https://example.org/back"}});
  ASSERT_EQ(made.status, 200) << made.body;
  const Response changed = Patch("/api/v1/oauth/1", root(), {{"client_secret", "canary-secret-2"}});
  for (const Response& shown : {made, changed, Get("/api/v1/oauth", root())}) {
    EXPECT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body.find("canary"), std::string::npos) << shown.body;
    EXPECT_EQ(shown.body.find("client_secret"), std::string::npos);
  }
  EXPECT_NE(Dump().find("canary-secret-2"), std::string::npos);
  EXPECT_EQ(Patch("/api/v1/oauth/1", root(), {{"client_secret", ""}}).status, 422);
  EXPECT_EQ(Get("/api/v1/oauth", guest()).status, 401);
}

TEST_F(ResourcesTest, PagesSayWhereTheOthersAre) {
  Start();
  for (int i = 0; i < 7; ++i) {
    ASSERT_EQ(Post("/api/v1/schedulers", root(), SchedulerBody("s" + std::to_string(i))).status,
              200);
  }
  const Response second = Get("/api/v1/schedulers?per_page=3&page=2&state=inactive", root());
  ASSERT_EQ(second.Json().size(), 3U);
  EXPECT_EQ(second.Json()[0]["host_name"], "s3");
  EXPECT_EQ(second.Header("Link"),
            "</api/v1/schedulers?page=1&per_page=3&state=inactive>;rel=prev,"
            "</api/v1/schedulers?page=3&per_page=3&state=inactive>;rel=next,"
            "</api/v1/schedulers?page=1&per_page=3&state=inactive>;rel=first,"
            "</api/v1/schedulers?page=3&per_page=3&state=inactive>;rel=last");
  EXPECT_EQ(Get("/api/v1/schedulers?per_page=3&page=9", root()).body, "[]");
  EXPECT_NE(Get("/api/v1/peers", root()).Header("Link").find("page=0&per_page=10>;rel=last"),
            std::string::npos);
  for (const char* bad : {"page=-1", "page=x", "per_page=10000001", "page=1.5"})
    EXPECT_EQ(Get(std::string("/api/v1/schedulers?") + bad, root()).status, 422) << bad;
  EXPECT_EQ(Get("/api/v1/schedulers?per_page=10000000&page=0", root()).Json().size(), 7U);
  const Response token = Send({"GET", "/api/v1/schedulers?token=" + root(), "", "", {}});
  EXPECT_EQ(token.Header("Link").find(root()), std::string::npos) << "links are passed on";
}

TEST_F(ResourcesTest, OfManyWhoMakeTheSameOneDoes) {
  Start();
  std::atomic<int> made = 0;
  std::atomic<int> conflicts = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const int status = Post("/api/v1/clusters", root(), ClusterBody("same")).status;
      made += status == 200 ? 1 : 0;
      conflicts += status == 409 ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(conflicts, 7);
  EXPECT_EQ(Count("seed_peer_cluster"), 2);
}

TEST_F(ResourcesTest, WhoKeepsAnswersForClustersIsTold) {
  Start();
  Get("/api/v1/clusters", root());
  EXPECT_EQ(cluster_changes_, 0);
  Post("/api/v1/schedulers", root(), SchedulerBody("s"));
  EXPECT_EQ(cluster_changes_, 1);
  Patch("/api/v1/clusters/1", root(), {{"bio", "x"}});
  EXPECT_EQ(cluster_changes_, 2);
  Put("/api/v1/scheduler-clusters/1/schedulers/1", root());
  Delete("/api/v1/schedulers/1", root());
  EXPECT_EQ(cluster_changes_, 4);
  Post("/api/v1/schedulers", root(), {{"host_name", "incomplete"}});
  Post("/api/v1/configs", root(), {{"name", "a"}, {"value", "b"}});
  EXPECT_EQ(cluster_changes_, 4);
}

TEST_F(ResourcesTest, Sec_S18_ChangesAreAuditedWithWhoAndWhere) {
  Start();
  Patch("/api/v1/clusters/1", root(), {{"bio", "canary in a body"}});
  Delete("/api/v1/clusters/1", guest());
  const std::string token = AccessToken({"cluster"});
  Patch("/oapi/v1/clusters/1", token, {{"bio", "y"}});
  Send({"POST", "/api/v1/users/signin?token=canary", "", "{}", {}});
  Get("/api/v1/clusters", root());
  EXPECT_EQ(Get("/api/v1/audits", root()).Json().size(), 0U) << "written in batches";
  ASSERT_TRUE(rest_->FlushAudits().ok());
  const json rows = Get("/api/v1/audits?per_page=100", root()).Json();
  EXPECT_EQ(rows.size(), 7U) << "two sign-ins of the set-up, a token, and four of ours";
  const auto only = [&](const std::string& filter) {
    const json found = Get("/api/v1/audits?" + filter, root()).Json();
    EXPECT_EQ(found.size(), 1U) << filter << found;
    return found.empty() ? json::object() : found[0];
  };
  const json change = only("path=/api/v1/clusters/1&operation=PATCH");
  EXPECT_EQ(change["actor_name"], "root");
  EXPECT_EQ(change["actor_type"], "USER");
  EXPECT_EQ(change["event_type"], "API");
  EXPECT_EQ(change["state"], "SUCCESS");
  EXPECT_EQ(change["status_code"], 200);
  EXPECT_EQ(change["detail"]["address"], "127.0.0.1");
  EXPECT_EQ(change["detail"]["user_id"], root_id_);
  const json denied = only("state=FAILURE&actor_name=guest-1");
  EXPECT_EQ(denied["status_code"], 401);
  EXPECT_EQ(denied["operation"], "DELETE");
  EXPECT_EQ(only("actor_type=PAT")["path"], "/oapi/v1/clusters/1");
  EXPECT_EQ(only("status_code=422")["actor_type"], "UNKNOWN");
  EXPECT_EQ(rows.dump().find("canary"), std::string::npos);
  EXPECT_EQ(Get("/api/v1/audits", guest()).status, 401);
}

}  // namespace
}  // namespace dragonfly::manager::rest
