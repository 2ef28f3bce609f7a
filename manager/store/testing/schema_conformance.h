#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "manager/store/testing/original_schema.h"
#include "manager/store/testing/store_fixture.h"

namespace dragonfly::manager::store::testing {

// How stores make, open and complete a schema, and what they put into an empty one.
class SchemaConformance : public StoreFixture {
 protected:
  std::set<std::string> Names(std::string_view query, const std::string& table) {
    std::set<std::string> names;
    for (const auto& row : Must(std::string(query), {table}).rows)
      names.insert(std::get<std::string>(row.at(0)));
    return names;
  }
  std::set<std::string> Columns(const std::string& table) {
    return Names(dialect_->ColumnsQuery(), table);
  }
  std::set<std::string> Indexes(const std::string& table) {
    return Names(dialect_->IndexesQuery(), table);
  }
  void MakeOriginal() {
    for (const std::string& statement : OriginalSchema(*dialect_)) Must(statement);
    for (const std::string& statement : OriginalRows()) Must(statement);
  }
  void ExpectFirstRows(Store& store) {
    const auto schedulers = Repository<models::SchedulerCluster>(store).List({}, {1, 10});
    ASSERT_TRUE(schedulers.ok()) << schedulers.status();
    ASSERT_EQ(schedulers->rows.size(), 1U);
    const models::SchedulerCluster& cluster = schedulers->rows[0];
    EXPECT_EQ(cluster.id, 1);
    EXPECT_EQ(cluster.name, "cluster-1");
    EXPECT_TRUE(cluster.is_default);
    EXPECT_EQ(cluster.config,
              R"({"candidate_parent_limit":3,"filter_parent_limit":15,"job_rate_limit":10})");
    EXPECT_EQ(cluster.client_config, R"({"load_limit":200})");
    EXPECT_EQ(cluster.seed_client_config, "{}");
    EXPECT_EQ(cluster.scopes, "{}");
    const auto seed_peers = Repository<models::SeedPeerCluster>(store).List({}, {1, 10});
    ASSERT_TRUE(seed_peers.ok()) << seed_peers.status();
    ASSERT_EQ(seed_peers->rows.size(), 1U);
    EXPECT_EQ(seed_peers->rows[0].id, 1);
    EXPECT_EQ(seed_peers->rows[0].config, R"({"load_limit":2000})");
    EXPECT_EQ(
        *Joins(store).Find(models::Join::kSeedPeerClusterSchedulerCluster, Joins::Side::kLeft, {1}),
        (std::vector<Joins::Pair>{{1, 1}}));
    const auto configs = Repository<models::Config>(store).List({}, {1, 10});
    ASSERT_EQ(configs->rows.size(), 1U);
    EXPECT_EQ(configs->rows[0].name, "gc");
    EXPECT_EQ(configs->rows[0].value,
              R"({"audit":{"ttl":604800000000000},"job":{"ttl":21600000000000}})");
  }
};

TEST_P(SchemaConformance, AnEmptyDatabaseGetsWhatAManagerBeginsWithOnce) {
  for (int start = 0; start < 3; ++start) {
    const std::unique_ptr<Store> store = MustOpen();
    ASSERT_NE(store, nullptr);
    ExpectFirstRows(*store);
  }
}

TEST_P(SchemaConformance, KeysGoOnBehindTheFirstRows) {
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  const auto next =
      Repository<models::SchedulerCluster>(*store).Insert(Filled<models::SchedulerCluster>(2));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->id, 2);
}

TEST_P(SchemaConformance, WhatPeopleChangedIsNotMadeAgain) {
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  models::SchedulerCluster cluster = *Repository<models::SchedulerCluster>(*store).Get(1);
  cluster.name = "mine";
  ASSERT_TRUE(Repository<models::SchedulerCluster>(*store)
                  .Update(1, cluster, {&models::SchedulerCluster::name})
                  .ok());
  const std::unique_ptr<Store> again = MustOpen();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(Repository<models::SchedulerCluster>(*again).List({}, {1, 10})->total, 1U);
  EXPECT_EQ(Repository<models::SchedulerCluster>(*again).Get(1)->name, "mine");
}

TEST_P(SchemaConformance, ManagersThatStartTogetherMakeOneSchemaAndOneSetOfRows) {
  std::vector<std::unique_ptr<Store>> stores(4);
  InThreads(4, [&](int thread) { stores[static_cast<size_t>(thread)] = MustOpen(); });
  for (const auto& store : stores) {
    ASSERT_NE(store, nullptr);
    ExpectFirstRows(*store);
  }
}

TEST_P(SchemaConformance, TheOriginalsDatabaseOpensAsItIs) {
  MakeOriginal();
  std::map<std::string, std::set<std::string>> columns;
  std::map<std::string, std::set<std::string>> indexes;
  ForEachTable([&](auto row) {
    const std::string& table = models::TableOf<decltype(row)>().shape().name;
    columns[table] = Columns(table);
    indexes[table] = Indexes(table);
  });
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  columns["user"].insert("session_epoch");  // the one that we add
  for (const auto& [table, names] : columns) EXPECT_EQ(Columns(table), names) << table;
  for (auto& [table, names] : indexes) {
    // The few that we add.
    if (table == "job") names.insert({"idx_job_created_at", "idx_job_type_created_at"});
    if (table == "audit") names.insert("idx_audit_created_at");
    EXPECT_EQ(Indexes(table), names) << table;
  }

  const auto cluster = Repository<models::SchedulerCluster>(*store).Get(3);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_EQ(cluster->name, "theirs");
  EXPECT_EQ(cluster->config, R"({"candidate_parent_limit":4})");
  EXPECT_TRUE(cluster->is_default);
  EXPECT_EQ(cluster->created_at,
            absl::FromCivil(absl::CivilSecond(2025, 3, 4, 5, 6, 7), absl::UTCTimeZone()) +
                absl::Milliseconds(890));
  EXPECT_TRUE(absl::IsNotFound(Repository<models::SchedulerCluster>(*store).Get(1).status()))
      << "theirs is enough";
  const auto scheduler = Repository<models::Scheduler>(*store).Get(5);
  ASSERT_TRUE(scheduler.ok()) << scheduler.status();
  EXPECT_EQ(scheduler->config, std::nullopt);
  EXPECT_EQ(scheduler->features, R"(["schedule","preheat"])") << "given at start";
  EXPECT_EQ(scheduler->last_keep_alive_at, std::nullopt);
  const auto user = Repository<models::User>(*store).Get(1);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->bio, "") << "NULL is nothing";
  EXPECT_EQ(user->session_epoch, 0) << "where the original's sessions are";
  const auto config = Repository<models::Config>(*store).List({}, {1, 10});
  ASSERT_EQ(config->rows.size(), 1U) << "their gc is kept";
  EXPECT_EQ(config->rows[0].value, R"({"audit":{"ttl":1},"job":{"ttl":2}})");
  EXPECT_EQ(config->rows[0].user_id, 0);
  const auto token = Repository<models::PersonalAccessToken>(*store).List({}, {1, 10});
  ASSERT_EQ(token->rows.size(), 1U);
  EXPECT_EQ(token->rows[0].expired_at,
            absl::FromCivil(absl::CivilSecond(2035, 1, 2, 3, 4, 5), absl::UTCTimeZone()));
  const auto audit = Repository<models::Audit>(*store).List({}, {1, 10});
  ASSERT_TRUE(audit.ok()) << audit.status();
  ASSERT_EQ(audit->rows.size(), 1U);
  EXPECT_GT(audit->rows[0].operated_at, absl::UnixEpoch()) << "by the column's default";
  const auto rule = Repository<models::PolicyRule>(*store).List({}, {1, 10});
  ASSERT_EQ(rule->rows.size(), 1U);
  EXPECT_EQ(rule->rows[0].v2, "*");
  EXPECT_EQ(rule->rows[0].v5, "");
}

TEST_P(SchemaConformance, TheOriginalsTablesTakeOurRows) {
  MakeOriginal();
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  ForEachTable([&](auto row) {
    using Row = decltype(row);
    SCOPED_TRACE(models::TableOf<Row>().shape().name);
    Repository<Row> rows(*store);
    const auto kept = rows.Insert(Filled<Row>(70));
    ASSERT_TRUE(kept.ok()) << kept.status();
    EXPECT_EQ(*rows.Get(kept->id), *kept);
    if (models::TableOf<Row>().shape().stamped) {
      EXPECT_EQ(Must("SELECT COUNT(*) FROM " + models::TableOf<Row>().shape().name +
                         " WHERE id = ? AND is_del = 0",
                     {kept->id})
                    .rows[0][0],
                sql::Value(int64_t{1}))
          << "the original sees it";
    }
    EXPECT_TRUE(rows.Delete(kept->id).ok());
  });
}

TEST_P(SchemaConformance, RowsThatTheOriginalMarkedDeletedAreNotSeen) {
  MakeOriginal();
  Must("UPDATE scheduler SET is_del = 1 WHERE id = 5");
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  Repository<models::Scheduler> schedulers(*store);
  EXPECT_TRUE(absl::IsNotFound(schedulers.Get(5).status()));
  EXPECT_EQ(schedulers.List({}, {1, 10})->total, 0U);
  EXPECT_TRUE(absl::IsNotFound(
      schedulers.Update(5, models::Scheduler(), {&models::Scheduler::idc}).status()));
  EXPECT_TRUE(absl::IsNotFound(schedulers.Delete(5)));
  EXPECT_EQ(Must("SELECT COUNT(*) FROM scheduler").rows[0][0], sql::Value(int64_t{1}));
}

TEST_P(SchemaConformance, WhatIsMissingIsAddedAndTheRowsStay) {
  ASSERT_NE(MustOpen(), nullptr);
  Must("DROP TABLE peer");
  Must("DROP TABLE user");
  Must("CREATE TABLE user (id " + dialect_->GeneratedKey() + ", name " + dialect_->Text(256) +
       " NOT NULL)");
  Must("INSERT INTO user (name) VALUES ('old')");
  const std::unique_ptr<Store> store = MustOpen();
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(Indexes("user").contains("uk_user_name"));
  EXPECT_TRUE(Indexes("peer").contains("uk_peer"));
  EXPECT_TRUE(Columns("user").contains("is_del"));
  Repository<models::User> users(*store);
  const auto old = users.FindOne({Condition<models::User>::Equal(&models::User::name, "old")});
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->state, "enable");
  EXPECT_EQ(old->email, "");
  EXPECT_TRUE(users.Insert(Filled<models::User>(1)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(users.Insert(Filled<models::User>(1)).status()));
}

TEST_P(SchemaConformance, AUniqueKeyThatRowsContradictIsNamed) {
  ASSERT_NE(MustOpen(), nullptr);
  Must("DROP TABLE config");
  Must("CREATE TABLE config (id " + dialect_->GeneratedKey() + ", name " + dialect_->Text(256) +
       " NOT NULL)");
  Must("INSERT INTO config (name) VALUES ('twice')");
  Must("INSERT INTO config (name) VALUES ('twice')");
  const auto store = OpenStore();
  EXPECT_TRUE(absl::IsAlreadyExists(store.status())) << store.status();
  EXPECT_NE(std::string(store.status().message()).find("uk_config_name"), std::string::npos)
      << store.status();
}

TEST_P(SchemaConformance, WithoutMigrationWhatIsMissingIsNamedAndNothingIsMade) {
  StoreOptions check_only;
  check_only.migrate = false;
  const auto empty = OpenStore(check_only);
  EXPECT_TRUE(absl::IsFailedPrecondition(empty.status())) << empty.status();
  EXPECT_TRUE(Columns("user").empty());
  ASSERT_NE(MustOpen(), nullptr);
  EXPECT_TRUE(OpenStore(check_only).ok()) << OpenStore(check_only).status();
  Must("DROP TABLE setting");
  Must("DROP TABLE oauth");
  Must("CREATE TABLE oauth (id " + dialect_->GeneratedKey() + ", name " + dialect_->Text(256) +
       " NOT NULL)");
  const auto partial = OpenStore(check_only);
  EXPECT_TRUE(absl::IsFailedPrecondition(partial.status())) << partial.status();
  for (const char* name : {"table setting", "column oauth.client_id", "uk_oauth2_name", "migrate"})
    EXPECT_NE(std::string(partial.status().message()).find(name), std::string::npos) << name;
  EXPECT_EQ(std::string(partial.status().message()).find("scheduler"), std::string::npos)
      << "what is there is not named: " << partial.status();
}

}  // namespace dragonfly::manager::store::testing
