#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "common/status/reason.h"
#include "manager/store/testing/forwarding_dialect.h"

namespace dragonfly::manager::store::testing {

// Another Dialect's database for several stores. It can lose all its connections at once, as when
// a server is restarted: those made before answer UNAVAILABLE from then on.
class SharedDialect final : public ForwardingDialect {
 public:
  struct Switch {
    std::atomic<int> generation{0};
    std::atomic<int> connected{0};  // how often
    std::atomic<bool> lose_commits{false};
    void LoseConnections() { ++generation; }
  };
  SharedDialect(std::shared_ptr<sql::Dialect> inner, std::shared_ptr<Switch> its)
      : ForwardingDialect(std::move(inner)), switch_(std::move(its)) {}

 private:
  std::unique_ptr<sql::Connection> Wrap(std::unique_ptr<sql::Connection> made) override {
    ++switch_->connected;
    return std::make_unique<Losable>(std::move(made), switch_);
  }

  class Losable final : public sql::Connection {
   public:
    Losable(std::unique_ptr<sql::Connection> inner, std::shared_ptr<Switch> its)
        : inner_(std::move(inner)), switch_(std::move(its)), made_in_(switch_->generation) {}
    absl::StatusOr<sql::Result> Execute(std::string_view statement,
                                        std::span<const sql::Value> parameters) override {
      if (Lost()) return Gone();
      return inner_->Execute(statement, parameters);
    }
    absl::Status Begin() override { return Lost() ? Gone() : inner_->Begin(); }
    absl::Status Commit() override {
      if (switch_->lose_commits) switch_->LoseConnections();
      return Lost() ? Gone() : inner_->Commit();
    }
    absl::Status Rollback() override { return Lost() ? Gone() : inner_->Rollback(); }

   private:
    bool Lost() const { return switch_->generation != made_in_; }
    static absl::Status Gone() {
      return common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                        common::status::ErrorReason::kUnknown, "lost");
    }
    const std::unique_ptr<sql::Connection> inner_;
    const std::shared_ptr<Switch> switch_;
    const int made_in_;
  };

  const std::shared_ptr<Switch> switch_;
};

}  // namespace dragonfly::manager::store::testing
