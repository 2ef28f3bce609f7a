#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "manager/store/joins.h"
#include "manager/store/models/clusters.h"
#include "manager/store/models/nodes.h"
#include "manager/store/models/people.h"
#include "manager/store/models/records.h"
#include "manager/store/repository.h"
#include "manager/store/settings.h"
#include "manager/store/store.h"
#include "manager/store/testing/shared_dialect.h"

namespace dragonfly::manager::store::testing {

// The suites of the store: INSTANTIATE_TEST_SUITE_P(Name, StoreConformance, Values(MakeDatabase))
// and the same with SchemaConformance. The Dialect that is made is that of an empty database; it
// goes with the last store.
using MakeDatabase = std::function<std::unique_ptr<sql::Dialect>()>;

class StoreFixture : public ::testing::TestWithParam<MakeDatabase> {
 protected:
  using Statements = std::vector<std::string>;

  StoreFixture() : dialect_(GetParam()()), switch_(std::make_shared<SharedDialect::Switch>()) {}

  // A store on the database of this test, at a time that the test sets.
  absl::StatusOr<std::unique_ptr<Store>> OpenStore(StoreOptions options = {}) {
    options.now = [this] { return now_; };
    return Store::Open(std::make_unique<SharedDialect>(dialect_, switch_), std::move(options));
  }
  std::unique_ptr<Store> MustOpen(StoreOptions options = {}) {
    auto store = OpenStore(std::move(options));
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  sql::Result Must(const std::string& statement, const std::vector<sql::Value>& parameters = {}) {
    const auto connection = dialect_->Connect();
    EXPECT_TRUE(connection.ok()) << connection.status();
    if (!connection.ok()) return {};
    const auto result = (*connection)->Execute(statement, parameters);
    EXPECT_TRUE(result.ok()) << statement << ": " << result.status();
    return result.ok() ? *result : sql::Result();
  }
  static void InThreads(int count, const std::function<void(int)>& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
  }

  // A row in which every member is set, and another one for each `number`.
  template <typename Row>
  static Row Filled(int64_t number) {
    using models::ColumnType;
    std::vector<sql::Value> values;
    for (const models::ColumnShape& column : models::TableOf<Row>().shape().columns) {
      const std::string text = column.name + std::to_string(number);
      switch (column.type) {
        case ColumnType::kId:
          values.emplace_back(int64_t{0});
          break;
        case ColumnType::kReference:
        case ColumnType::kInteger:
          values.emplace_back(number);
          break;
        case ColumnType::kBoolean:
          values.emplace_back(int64_t{1});
          break;
        case ColumnType::kJson:
          values.emplace_back("{\"" + text + "\": [1, \"\xc3\xa4\"]}");
          break;
        case ColumnType::kTime:
          values.emplace_back("2026-01-02 03:04:05.678");
          break;
        case ColumnType::kTimeSeconds:
          values.emplace_back("2026-01-02 03:04:05.000");
          break;
        default:
          values.emplace_back(text);
      }
    }
    return *models::TableOf<Row>().RowOf(values);
  }
  // Calls `test` with a default row of each table.
  static void ForEachTable(const auto& test) {
    test(models::SchedulerCluster());
    test(models::SeedPeerCluster());
    test(models::Scheduler());
    test(models::SeedPeer());
    test(models::Peer());
    test(models::User());
    test(models::Oauth());
    test(models::PersonalAccessToken());
    test(models::PolicyRule());
    test(models::Config());
    test(models::Application());
    test(models::Job());
    test(models::Audit());
  }

  absl::Time now_ = absl::FromUnixMillis(1'800'000'000'123);
  const std::shared_ptr<sql::Dialect> dialect_;
  const std::shared_ptr<SharedDialect::Switch> switch_;
};

}  // namespace dragonfly::manager::store::testing
