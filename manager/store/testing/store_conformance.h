#pragma once

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "manager/store/testing/store_fixture.h"

namespace dragonfly::manager::store::testing {

// What rows, joins, settings and transactions do on every database.
class StoreConformance : public StoreFixture {
 protected:
  void SetUp() override {
    store_ = MustOpen();
    ASSERT_NE(store_, nullptr);
  }
  // The columns of `row` but id and stamps, one by one.
  template <typename Row>
  static std::vector<size_t> OwnColumns() {
    const models::TableShape& shape = models::TableOf<Row>().shape();
    std::vector<size_t> columns;
    for (size_t i = shape.stamped ? 3 : 1; i < shape.columns.size(); ++i) columns.push_back(i);
    return columns;
  }

  std::unique_ptr<Store> store_;
};

TEST_P(StoreConformance, RowsOfEveryTableComeBackAsTheyWerePut) {
  ForEachTable([this](auto row) {
    using Row = decltype(row);
    SCOPED_TRACE(models::TableOf<Row>().shape().name);
    Repository<Row> rows(*store_);
    for (const Row& put : {Filled<Row>(8), Filled<Row>(9)}) {
      const auto kept = rows.Insert(put);
      ASSERT_TRUE(kept.ok()) << kept.status();
      EXPECT_GT(kept->id, 0);
      const auto got = rows.Get(kept->id);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, *kept) << "what Insert returns is what is kept";
      Row expected = put;
      expected.id = kept->id;
      if constexpr (std::is_base_of_v<models::Stamped, Row>) expected.updated_at = now_;
      EXPECT_EQ(*got, expected);
    }
  });
}

TEST_P(StoreConformance, StampsAreSetByTheStore) {
  Repository<models::Config> configs(*store_);
  models::Config config;
  config.name = "a";
  const auto kept = configs.Insert(config);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->created_at, now_);
  EXPECT_EQ(kept->updated_at, now_);
  now_ += absl::Minutes(1);
  const auto changed = configs.Update(kept->id, config, {&models::Config::bio});
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->created_at, now_ - absl::Minutes(1));
  EXPECT_EQ(changed->updated_at, now_);
}

TEST_P(StoreConformance, WhatIsNotThereIsNotFound) {
  ForEachTable([this](auto row) {
    using Row = decltype(row);
    SCOPED_TRACE(models::TableOf<Row>().shape().name);
    Repository<Row> rows(*store_);
    EXPECT_TRUE(absl::IsNotFound(rows.Get(1'000'000).status()));
    EXPECT_TRUE(absl::IsNotFound(rows.Get(-1).status()));
    EXPECT_TRUE(absl::IsNotFound(rows.Delete(1'000'000)));
    const auto kept = rows.Insert(Filled<Row>(8));
    ASSERT_TRUE(kept.ok()) << kept.status();
    EXPECT_TRUE(rows.Delete(kept->id).ok());
    EXPECT_TRUE(absl::IsNotFound(rows.Get(kept->id).status()));
    EXPECT_TRUE(absl::IsNotFound(rows.Delete(kept->id)));
    EXPECT_TRUE(rows.Insert(Filled<Row>(8)).ok()) << "its unique keys are free again";
  });
  EXPECT_TRUE(absl::IsNotFound(Repository<models::User>(*store_)
                                   .Update(1'000'000, models::User(), {&models::User::bio})
                                   .status()));
}

TEST_P(StoreConformance, EveryUniqueKeyIsHeld) {
  ForEachTable([this](auto row) {
    using Row = decltype(row);
    const models::Table<Row>& table = models::TableOf<Row>();
    Repository<Row> rows(*store_);
    const Row first = Filled<Row>(8);
    ASSERT_TRUE(rows.Insert(first).ok());
    for (const models::KeyShape& key : table.shape().keys) {
      if (!key.unique) continue;
      SCOPED_TRACE(key.name);
      // Another row but for the columns of the key.
      std::vector<sql::Value> values = table.ValuesOf(Filled<Row>(9));
      std::vector<sql::Value> of_first = table.ValuesOf(first);
      for (size_t i = 0; i < values.size(); ++i) {
        const auto& columns = key.columns;
        if (std::find(columns.begin(), columns.end(), table.shape().columns[i].name) !=
            columns.end()) {
          values[i] = of_first[i];
        }
      }
      const auto twice = rows.Insert(*table.RowOf(values));
      EXPECT_TRUE(absl::IsAlreadyExists(twice.status())) << twice.status();
    }
    EXPECT_TRUE(rows.Insert(Filled<Row>(9)).ok());
  });
}

TEST_P(StoreConformance, APatchWritesItsColumnsAndNoOther) {
  ForEachTable([this](auto row) {
    using Row = decltype(row);
    const models::Table<Row>& table = models::TableOf<Row>();
    Repository<Row> rows(*store_);
    const auto kept = rows.Insert(Filled<Row>(8));
    ASSERT_TRUE(kept.ok()) << kept.status();
    TableAccess access(*store_, table.shape());
    std::vector<sql::Value> expected = table.ValuesOf(*kept);
    const std::vector<sql::Value> other = table.ValuesOf(Filled<Row>(9));
    for (const size_t column : OwnColumns<Row>()) {
      SCOPED_TRACE(table.shape().columns[column].name);
      now_ += absl::Seconds(1);
      const auto merged = access.Update(kept->id, other, {column});
      ASSERT_TRUE(merged.ok()) << merged.status();
      expected[column] = other[column];
      if (table.shape().stamped) expected[2] = models::ToValue(now_, models::ColumnType::kTime);
      EXPECT_EQ(table.ValuesOf(*table.RowOf(*merged)), expected);
    }
    EXPECT_TRUE(absl::IsInvalidArgument(access.Update(kept->id, other, {0}).status()));
    EXPECT_EQ(table.ValuesOf(*rows.Update(kept->id, Row(), {})), expected) << "nothing to change";
  });
}

TEST_P(StoreConformance, PagesNeitherOverlapNorMissRows) {
  Repository<models::Job> jobs(*store_);
  using Where = Condition<models::Job>;
  for (int i = 0; i < 7; ++i) {
    models::Job job = Filled<models::Job>(i);
    job.type = i == 3 ? "other" : "mine";
    ASSERT_TRUE(jobs.Insert(job).ok());  // all of the same moment
  }
  const Repository<models::Job>::Conditions mine = {Where::Equal(&models::Job::type, "mine")};
  const std::vector<Order<models::Job>> newest = {{&models::Job::created_at, true}};
  std::vector<int64_t> ids;
  for (uint64_t number = 1; number <= 4; ++number) {
    const auto page = jobs.List(mine, {number, 2}, newest);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->total, 6U);
    EXPECT_EQ(page->rows.size(), number <= 3 ? 2U : 0U);
    for (const models::Job& job : page->rows) ids.push_back(job.id);
  }
  EXPECT_EQ(ids.size(), 6U);
  EXPECT_TRUE(std::is_sorted(ids.rbegin(), ids.rend())) << "the newest first";
  EXPECT_EQ(jobs.List(mine, {6, 1})->rows.size(), 1U);
  EXPECT_EQ(jobs.List(mine, {7, 1})->rows.size(), 0U);
  EXPECT_EQ(jobs.List(mine, {1, kMaxPageSize})->rows.size(), 6U);
  EXPECT_EQ(jobs.List(mine, {UINT64_MAX, kMaxPageSize})->rows.size(), 0U);
  EXPECT_EQ(jobs.List(mine, {UINT64_MAX, 1})->total, 6U);
  EXPECT_TRUE(absl::IsInvalidArgument(jobs.List(mine, {0, 1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(jobs.List(mine, {1, 0}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(jobs.List(mine, {1, kMaxPageSize + 1}).status()));
  EXPECT_EQ(jobs.List({Where::Equal(&models::Job::type, "none")}, {1, 10})->total, 0U);
}

TEST_P(StoreConformance, ConditionsCompare) {
  Repository<models::Scheduler> schedulers(*store_);
  using Row = models::Scheduler;
  using Where = Condition<Row>;
  for (int i = 1; i <= 3; ++i) {
    Row row = Filled<Row>(i);
    row.port = 8000 + i;
    row.last_keep_alive_at = i == 1 ? std::nullopt : std::optional(now_ + absl::Seconds(i));
    ASSERT_TRUE(schedulers.Insert(row).ok());
  }
  const auto ports = [&](std::vector<Where> where) {
    std::vector<int32_t> found;
    const auto list = schedulers.List(where, {1, 10});
    EXPECT_TRUE(list.ok()) << list.status();
    if (list.ok())
      for (const Row& row : list->rows) found.push_back(row.port);
    return found;
  };
  using Ports = std::vector<int32_t>;
  EXPECT_EQ(ports({}), (Ports{8001, 8002, 8003}));
  EXPECT_EQ(ports({Where::Equal(&Row::port, 8002)}), Ports{8002});
  EXPECT_EQ(ports({Where::NotEqual(&Row::port, 8002)}), (Ports{8001, 8003}));
  EXPECT_EQ(ports({Where::Less(&Row::port, 8002)}), Ports{8001});
  EXPECT_EQ(ports({Where::AtMost(&Row::port, 8002)}), (Ports{8001, 8002}));
  EXPECT_EQ(ports({Where::Greater(&Row::port, 8002)}), Ports{8003});
  EXPECT_EQ(ports({Where::AtLeast(&Row::port, 8002)}), (Ports{8002, 8003}));
  EXPECT_EQ(ports({Where::AnyOf(&Row::port, {8001, 8003, 1})}), (Ports{8001, 8003}));
  EXPECT_EQ(ports({Where::AnyOf(&Row::port, {})}), Ports());
  EXPECT_EQ(ports({Where::Equal(&Row::last_keep_alive_at, std::nullopt)}), Ports{8001});
  EXPECT_EQ(ports({Where::NotEqual(&Row::last_keep_alive_at, std::nullopt)}), (Ports{8002, 8003}));
  EXPECT_EQ(ports({Where::Less(&Row::last_keep_alive_at, now_ + absl::Seconds(3))}), Ports{8002});
  EXPECT_EQ(ports({Where::Equal(&Row::host_name, "host_name3"), Where::Greater(&Row::port, 1),
                   Where::Greater(&Row::id, 0)}),
            Ports{8003});
  EXPECT_TRUE(absl::IsInvalidArgument(
      schedulers.List({Where::AnyOf(&Row::port, std::vector<int32_t>(kMaxAnyOf + 1))}, {1, 1})
          .status()));
}

TEST_P(StoreConformance, TextOfAnyKindIsKept) {
  Repository<models::Application> applications(*store_);
  using Where = Condition<models::Application>;
  int count = 0;
  for (const std::string& text :
       {std::string("quote ' double \" back \\ tick ` percent % under _"), std::string("a\0b", 3),
        std::string("\xf0\x9f\x90\x89 \xf0\xa0\x9c\x8e \xc3\xa4 \xe2\x82\xac"),
        std::string("line\r\nline\ttab"), std::string("? :a $1 {0} %s"),
        std::string("'; DROP TABLE application; --"), std::string("' OR '1'='1"),
        std::string("\\'; DELETE FROM application; #"), std::string(256, 'x')}) {
    SCOPED_TRACE(text);
    models::Application row = Filled<models::Application>(++count);
    row.name = text;
    row.bio = text;
    row.url = text;
    const auto kept = applications.Insert(row);
    ASSERT_TRUE(kept.ok()) << kept.status();
    const auto found = applications.FindOne({Where::Equal(&models::Application::name, text),
                                             Where::Equal(&models::Application::url, text)});
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, *kept);
    EXPECT_EQ(found->name, text);
    EXPECT_TRUE(applications.Update(kept->id, row, {&models::Application::bio}).ok());
    EXPECT_EQ(applications.List({}, {1, 100})->total, static_cast<uint64_t>(count));
  }
  models::Application wide = Filled<models::Application>(100);
  for (wide.name.clear(); wide.name.size() < 4 * 256;) wide.name += "\xf0\x9f\x90\x89";
  wide.url = std::string(1'000'000, 'u');
  const auto kept = applications.Insert(wide);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(applications.Get(kept->id)->name, wide.name) << "256 characters of four bytes";
  EXPECT_EQ(applications.Get(kept->id)->url, wide.url);
}

TEST_P(StoreConformance, ValuesThatDoNotFitAreRefusedByName) {
  Repository<models::Application> applications(*store_);
  Repository<models::SeedPeer> seed_peers(*store_);
  using A = models::Application;
  const auto refused = [](const absl::Status& status, const std::string& column) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(std::string(status.message()).find(column), std::string::npos) << status;
  };
  A row = Filled<A>(1);
  row.name = std::string(257, 'x');
  refused(applications.Insert(row).status(), "application.name");
  row.name = "bad \xff";
  refused(applications.Insert(row).status(), "application.name");
  row.name = "cut \xc3";
  refused(applications.Insert(row).status(), "application.name");
  row.name = "a";
  row.priority = "{";
  refused(applications.Insert(row).status(), "application.priority");
  row.priority = "{}";
  row.user_id = -1;
  refused(applications.Insert(row).status(), "application.user_id");
  row.user_id = 1;
  const auto kept = applications.Insert(row);
  ASSERT_TRUE(kept.ok()) << kept.status();
  row.bio = std::string(1025, 'x');
  refused(applications.Update(kept->id, row, {&A::bio}).status(), "application.bio");
  refused(applications.UpdateWhere({}, row, {&A::bio}).status(), "application.bio");
  refused(applications.Upsert(row, "uk_application_name", {&A::bio}).status(), "application.bio");
  models::PersonalAccessToken token = Filled<models::PersonalAccessToken>(1);
  token.expired_at = absl::InfinitePast();
  refused(Repository<models::PersonalAccessToken>(*store_).Insert(token).status(), "expired_at");
}

TEST_P(StoreConformance, AnUpsertFindsItsRowByTheKeyWhateverElseChanged) {
  using Row = models::Scheduler;
  Repository<Row> schedulers(*store_);
  Row row = Filled<Row>(1);
  const auto first = schedulers.Upsert(row, "uk_scheduler", {&Row::port});
  ASSERT_TRUE(first.ok()) << first.status();
  now_ += absl::Seconds(5);
  row.port = 9999;
  row.idc = "not among the changes";
  const auto second = schedulers.Upsert(row, "uk_scheduler", {&Row::port});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(second->port, 9999);
  EXPECT_EQ(second->idc, first->idc);
  EXPECT_EQ(second->created_at, first->created_at);
  EXPECT_EQ(second->updated_at, now_);
  EXPECT_EQ(schedulers.List({}, {1, 10})->total, 1U);
  EXPECT_TRUE(absl::IsInvalidArgument(schedulers.Upsert(row, "uk_other", {}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Repository<models::User>(*store_)
                                          .Upsert(Filled<models::User>(1), "uk_user_name", {})
                                          .status()))
      << "a user has two unique keys";
  EXPECT_TRUE(absl::IsInvalidArgument(
      Repository<models::Job>(*store_).Upsert(Filled<models::Job>(1), "uk_job", {}).status()));
}

TEST_P(StoreConformance, ConcurrentUpsertsOfOneKeyLeaveOneRow) {
  using Row = models::Peer;
  std::atomic<int> failures{0};
  InThreads(4, [&](int thread) {
    Repository<Row> peers(*store_);
    for (int i = 0; i < 25; ++i) {
      Row row = Filled<Row>(1);
      row.port = thread * 100 + i;
      const auto kept = peers.Upsert(row, "uk_peer", {&Row::port});
      if (!kept.ok()) {
        ++failures;
        ADD_FAILURE() << kept.status();
      }
    }
  });
  EXPECT_EQ(failures, 0);
  const auto list = Repository<Row>(*store_).List({}, {1, 10});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->total, 1U);
}

TEST_P(StoreConformance, OneOfSeveralFindsTheOldState) {
  using Row = models::Job;
  using Where = Condition<Row>;
  const auto job = Repository<Row>(*store_).Insert(Filled<Row>(1));
  ASSERT_TRUE(job.ok());
  Row taken = *job;
  taken.state = "STARTED";
  std::atomic<uint64_t> winners{0};
  InThreads(4, [&](int) {
    const auto count = Repository<Row>(*store_).UpdateWhere(
        {Where::Equal(&Row::id, job->id), Where::Equal(&Row::state, job->state)}, taken,
        {&Row::state});
    ASSERT_TRUE(count.ok()) << count.status();
    winners += *count;
  });
  EXPECT_EQ(winners, 1U);
  const auto same =
      Repository<Row>(*store_).UpdateWhere({Where::Equal(&Row::id, job->id)}, taken, {&Row::state});
  EXPECT_EQ(*same, 1U) << "rows that it met count, changed or not";
}

TEST_P(StoreConformance, ManyRowsGoInBatchesWithTheirJoins) {
  using Row = models::Job;
  using Where = Condition<Row>;
  Repository<Row> jobs(*store_);
  Joins joins(*store_);
  for (int i = 0; i < 5; ++i) {
    Row row = Filled<Row>(i);
    row.created_at = now_ - absl::Hours(i);
    const auto kept = jobs.Insert(row);
    ASSERT_TRUE(kept.ok()) << kept.status();
    ASSERT_TRUE(joins.Link(models::Join::kJobSchedulerCluster, {kept->id, 1}).ok());
  }
  const std::vector<Where> old = {Where::Less(&Row::created_at, now_ - absl::Minutes(90))};
  EXPECT_EQ(*jobs.DeleteWhere(old, 2), 2U);
  EXPECT_EQ(*jobs.DeleteWhere(old, 2), 1U);
  EXPECT_EQ(*jobs.DeleteWhere(old, 2), 0U);
  EXPECT_TRUE(absl::IsInvalidArgument(jobs.DeleteWhere(old, 0).status()));
  EXPECT_EQ(jobs.List({}, {1, 10})->total, 2U);
  EXPECT_EQ(joins.Find(models::Join::kJobSchedulerCluster, Joins::Side::kRight, {1})->size(), 2U);
}

TEST_P(StoreConformance, JoinsGoWithTheRowsOfEitherSide) {
  using models::Join;
  using Side = Joins::Side;
  using Pairs = std::vector<Joins::Pair>;
  Joins joins(*store_);
  const auto job = Repository<models::Job>(*store_).Insert(Filled<models::Job>(1));
  const auto schedulers =
      Repository<models::SchedulerCluster>(*store_).Insert(Filled<models::SchedulerCluster>(5));
  const auto seed_peers =
      Repository<models::SeedPeerCluster>(*store_).Insert(Filled<models::SeedPeerCluster>(5));
  ASSERT_TRUE(job.ok() && schedulers.ok() && seed_peers.ok());
  const auto link_all = [&] {
    for (int twice = 0; twice < 2; ++twice) {
      EXPECT_TRUE(joins.Link(Join::kJobSchedulerCluster, {job->id, schedulers->id}).ok());
      EXPECT_TRUE(joins.Link(Join::kJobSeedPeerCluster, {job->id, seed_peers->id}).ok());
      EXPECT_TRUE(
          joins.Link(Join::kSeedPeerClusterSchedulerCluster, {seed_peers->id, schedulers->id})
              .ok());
    }
  };
  const auto of = [&](Join join, Side side, int64_t id) { return *joins.Find(join, side, {id}); };
  link_all();
  EXPECT_EQ(of(Join::kJobSchedulerCluster, Side::kLeft, job->id),
            (Pairs{{job->id, schedulers->id}}));
  EXPECT_EQ(of(Join::kJobSeedPeerCluster, Side::kRight, seed_peers->id),
            (Pairs{{job->id, seed_peers->id}}));
  EXPECT_EQ(
      *joins.Find(Join::kSeedPeerClusterSchedulerCluster, Side::kRight, {schedulers->id, 1, 77}),
      (Pairs{{1, 1}, {seed_peers->id, schedulers->id}}));
  EXPECT_EQ(*joins.Find(Join::kJobSchedulerCluster, Side::kLeft, {}), Pairs());
  EXPECT_TRUE(joins.Unlink(Join::kJobSchedulerCluster, {job->id, schedulers->id}).ok());
  EXPECT_TRUE(joins.Unlink(Join::kJobSchedulerCluster, {job->id, schedulers->id}).ok());
  EXPECT_EQ(of(Join::kJobSchedulerCluster, Side::kLeft, job->id), Pairs());
  EXPECT_TRUE(absl::IsInvalidArgument(joins.Link(Join::kJobSchedulerCluster, {-1, 1})));

  link_all();
  ASSERT_TRUE(Repository<models::SchedulerCluster>(*store_).Delete(schedulers->id).ok());
  EXPECT_EQ(of(Join::kJobSchedulerCluster, Side::kLeft, job->id), Pairs());
  EXPECT_EQ(of(Join::kSeedPeerClusterSchedulerCluster, Side::kLeft, seed_peers->id), Pairs());
  EXPECT_EQ(of(Join::kJobSeedPeerCluster, Side::kLeft, job->id).size(), 1U);
  ASSERT_TRUE(Repository<models::Job>(*store_).Delete(job->id).ok());
  EXPECT_EQ(of(Join::kJobSeedPeerCluster, Side::kLeft, job->id), Pairs());
  EXPECT_EQ(of(Join::kSeedPeerClusterSchedulerCluster, Side::kLeft, 1), (Pairs{{1, 1}}));
  ASSERT_TRUE(Repository<models::SeedPeerCluster>(*store_).Delete(1).ok());
  EXPECT_EQ(of(Join::kSeedPeerClusterSchedulerCluster, Side::kLeft, 1), Pairs());
}

TEST_P(StoreConformance, SettingsAreTextsByName) {
  Settings settings(*store_);
  EXPECT_TRUE(absl::IsNotFound(settings.Get("a").status()));
  EXPECT_FALSE(*settings.CompareAndSet("a", "", "b"));
  ASSERT_TRUE(settings.Put("a", "1").ok());
  ASSERT_TRUE(settings.Put("a", "Two").ok());
  EXPECT_EQ(*settings.Get("a"), "Two");
  EXPECT_EQ(*settings.PutIfAbsent("a", "3"), "Two");
  EXPECT_FALSE(*settings.CompareAndSet("a", "two", "3")) << "byte by byte";
  EXPECT_TRUE(*settings.CompareAndSet("a", "Two", "3"));
  EXPECT_EQ(*settings.Get("a"), "3");
  EXPECT_TRUE(settings.Delete("a").ok());
  EXPECT_TRUE(settings.Delete("a").ok());
  EXPECT_TRUE(absl::IsNotFound(settings.Get("a").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(settings.Put(std::string(257, 'n'), "v")));
  EXPECT_TRUE(absl::IsInvalidArgument(settings.Put("n", "\xff")));
}

TEST_P(StoreConformance, AllWhoMakeASettingGetTheSameOneAndOneOfThemTakesALease) {
  std::vector<std::string> got(4);
  InThreads(4, [&](int thread) {
    const auto kept = Settings(*store_).PutIfAbsent("key", "made by " + std::to_string(thread));
    ASSERT_TRUE(kept.ok()) << kept.status();
    got[static_cast<size_t>(thread)] = *kept;
  });
  for (const std::string& each : got) EXPECT_EQ(each, *Settings(*store_).Get("key"));
  std::atomic<int> takers{0};
  InThreads(4, [&](int thread) {
    const auto taken =
        Settings(*store_).CompareAndSet("key", got[0], "taken by " + std::to_string(thread));
    ASSERT_TRUE(taken.ok()) << taken.status();
    if (*taken) ++takers;
  });
  EXPECT_EQ(takers, 1);
}

TEST_P(StoreConformance, ATransactionIsKeptWholeOrNotAtAll) {
  const auto insert = [](Session& session, int number) {
    return Repository<models::Oauth>(session).Insert(Filled<models::Oauth>(number)).status();
  };
  const auto count = [this] { return Repository<models::Oauth>(*store_).List({}, {1, 1})->total; };
  const absl::Status failed = store_->RunInTransaction([&](Session& session) {
    EXPECT_TRUE(insert(session, 1).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(insert(session, 1)));
    EXPECT_TRUE(insert(session, 2).ok()) << "the rest of it goes on";
    return absl::CancelledError("thought better of it");
  });
  EXPECT_TRUE(absl::IsCancelled(failed)) << failed;
  EXPECT_EQ(count(), 0U);
  ASSERT_TRUE(store_
                  ->RunInTransaction([&](Session& session) {
                    if (absl::Status made = insert(session, 1); !made.ok()) return made;
                    return insert(session, 2);
                  })
                  .ok());
  EXPECT_EQ(count(), 2U);
}

TEST_P(StoreConformance, TransactionsThatCountLoseNothing) {
  const auto config = Repository<models::Config>(*store_).Insert(Filled<models::Config>(0));
  ASSERT_TRUE(config.ok());
  models::Config zero = *config;
  zero.value = "0";
  ASSERT_TRUE(
      Repository<models::Config>(*store_).Update(config->id, zero, {&models::Config::value}).ok());
  InThreads(4, [&](int) {
    for (int i = 0; i < 10; ++i) {
      const absl::Status done = store_->RunInTransaction([&](Session& session) {
        Repository<models::Config> configs(session);
        auto row = configs.Get(config->id);
        if (!row.ok()) return row.status();
        row->value = std::to_string(std::stoi(row->value) + 1);
        return configs.Update(row->id, *row, {&models::Config::value}).status();
      });
      EXPECT_TRUE(done.ok()) << done;
    }
  });
  EXPECT_EQ(Repository<models::Config>(*store_).Get(config->id)->value, "40");
}

TEST_P(StoreConformance, ADatabaseThatWasRestartedIsUsedAgain) {
  Repository<models::Oauth> rows(*store_);
  ASSERT_TRUE(rows.Insert(Filled<models::Oauth>(1)).ok());
  InThreads(4, [&](int) { EXPECT_TRUE(rows.List({}, {1, 1}).ok()); });
  switch_->LoseConnections();
  EXPECT_TRUE(rows.Insert(Filled<models::Oauth>(2)).ok());
  switch_->LoseConnections();
  EXPECT_EQ(rows.List({}, {1, 10})->total, 2U);
  int runs = 0;
  int losses = 1;
  const auto insert_while_losing = [&](Session& session) {
    if (++runs <= losses) switch_->LoseConnections();
    return Repository<models::Oauth>(session).Insert(Filled<models::Oauth>(3)).status();
  };
  const absl::Status once = store_->RunInTransaction(insert_while_losing);
  EXPECT_TRUE(once.ok()) << "run again from its start: " << once;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(rows.List({}, {1, 10})->total, 3U);
  losses = 100;
  runs = 0;
  const absl::Status always = store_->RunInTransaction(insert_while_losing);
  EXPECT_TRUE(absl::IsUnavailable(always)) << always;
  EXPECT_EQ(runs, 2) << "a limit to everything";
  EXPECT_TRUE(store_->Ping().ok());
}

TEST_P(StoreConformance, ACommitThatWasLostIsNotRepeated) {
  switch_->lose_commits = true;
  int runs = 0;
  const absl::Status done = store_->RunInTransaction([&](Session& session) {
    ++runs;
    return Repository<models::Oauth>(session).Insert(Filled<models::Oauth>(1)).status();
  });
  switch_->lose_commits = false;
  EXPECT_TRUE(absl::IsUnavailable(done)) << done;
  EXPECT_NE(std::string(done.message()).find("not known"), std::string::npos) << done;
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(store_->Ping().ok());
}

TEST_P(StoreConformance, ConnectionsAreBoundedAndWaitsToo) {
  StoreOptions options;
  options.pool.connections = 2;
  options.pool.wait = absl::Milliseconds(50);
  const int before = switch_->connected;
  const std::unique_ptr<Store> store = MustOpen(options);
  ASSERT_NE(store, nullptr);
  const absl::Status busy = store->Read([&](sql::Connection&) {
    return store->Read([&](sql::Connection&) { return store->Ping(); });
  });
  EXPECT_TRUE(absl::IsResourceExhausted(busy)) << busy;
  EXPECT_EQ(switch_->connected - before, 2);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(store->Ping().ok());
  EXPECT_EQ(switch_->connected - before, 2) << "they are used again";
}

}  // namespace dragonfly::manager::store::testing
