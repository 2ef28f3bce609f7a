#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/status/reason.h"
#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::testing {

// Another Dialect's database that can be away, or slow, and that counts statements.
class Switched final : public sql::Dialect {
 public:
  struct Switch {
    std::atomic<bool> away{false};
    std::atomic<int> slow_ms{0};
    std::atomic<int> statements{0};
  };
  Switched(std::shared_ptr<sql::Dialect> inner, std::shared_ptr<Switch> its)
      : inner_(std::move(inner)), switch_(std::move(its)) {}
  std::string_view name() const override { return inner_->name(); }
  absl::StatusOr<std::unique_ptr<sql::Connection>> Connect() override {
    auto made = inner_->Connect();
    if (!made.ok()) return made.status();
    return std::unique_ptr<sql::Connection>(std::make_unique<Through>(*std::move(made), switch_));
  }
  std::string GeneratedKey() const override { return inner_->GeneratedKey(); }
  std::string KeyReference() const override { return inner_->KeyReference(); }
  std::string Text(size_t max_characters) const override { return inner_->Text(max_characters); }
  std::string Timestamp() const override { return inner_->Timestamp(); }
  std::string TimestampSeconds() const override { return inner_->TimestampSeconds(); }
  std::string TableOptions() const override { return inner_->TableOptions(); }
  std::string_view ColumnsQuery() const override { return inner_->ColumnsQuery(); }
  std::string_view IndexesQuery() const override { return inner_->IndexesQuery(); }
  absl::Status LockSchema(sql::Connection& connection, absl::Duration wait) override {
    return inner_->LockSchema(connection, wait);
  }
  absl::Status UnlockSchema(sql::Connection& connection, bool keep) override {
    return inner_->UnlockSchema(connection, keep);
  }
  std::string OnConflictUpdate(std::span<const std::string> key,
                               std::span<const std::string> columns) const override {
    return inner_->OnConflictUpdate(key, columns);
  }

 private:
  class Through final : public sql::Connection {
   public:
    Through(std::unique_ptr<sql::Connection> inner, std::shared_ptr<Switch> its)
        : inner_(std::move(inner)), switch_(std::move(its)) {}
    absl::StatusOr<sql::Result> Execute(std::string_view statement,
                                        std::span<const sql::Value> parameters) override {
      ++switch_->statements;
      if (switch_->away) {
        return common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                          common::status::ErrorReason::kUnknown, "away");
      }
      if (const int pause = switch_->slow_ms; pause > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(pause));
      return inner_->Execute(statement, parameters);
    }
    absl::Status Begin() override {
      return switch_->away ? absl::UnavailableError("away") : inner_->Begin();
    }
    absl::Status Commit() override { return inner_->Commit(); }
    absl::Status Rollback() override { return inner_->Rollback(); }

   private:
    const std::unique_ptr<sql::Connection> inner_;
    const std::shared_ptr<Switch> switch_;
  };
  const std::shared_ptr<sql::Dialect> inner_;
  const std::shared_ptr<Switch> switch_;
};

}  // namespace dragonfly::manager::store::testing
