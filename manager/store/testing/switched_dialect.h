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
#include "manager/store/testing/forwarding_dialect.h"

namespace dragonfly::manager::store::testing {

// Another Dialect's database that can be away, or slow, and that counts statements.
class Switched final : public ForwardingDialect {
 public:
  struct Switch {
    std::atomic<bool> away{false};
    std::atomic<int> slow_ms{0};
    std::atomic<int> statements{0};
  };
  Switched(std::shared_ptr<sql::Dialect> inner, std::shared_ptr<Switch> its)
      : ForwardingDialect(std::move(inner)), switch_(std::move(its)) {}

 private:
  std::unique_ptr<sql::Connection> Wrap(std::unique_ptr<sql::Connection> made) override {
    return std::make_unique<Through>(std::move(made), switch_);
  }

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

  const std::shared_ptr<Switch> switch_;
};

}  // namespace dragonfly::manager::store::testing
