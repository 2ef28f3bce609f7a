#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "manager/store/sql/dialect.h"

namespace dragonfly::manager::store::testing {

// Another Dialect's database through connections of one's own: what tests put between a store and
// its database.
class ForwardingDialect : public sql::Dialect {
 public:
  explicit ForwardingDialect(std::shared_ptr<sql::Dialect> inner) : inner_(std::move(inner)) {}

  std::string_view name() const override { return inner_->name(); }
  absl::StatusOr<std::unique_ptr<sql::Connection>> Connect() final {
    absl::StatusOr<std::unique_ptr<sql::Connection>> made = inner_->Connect();
    if (!made.ok()) return made.status();
    return Wrap(*std::move(made));
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
  virtual std::unique_ptr<sql::Connection> Wrap(std::unique_ptr<sql::Connection> made) = 0;

  const std::shared_ptr<sql::Dialect> inner_;
};

}  // namespace dragonfly::manager::store::testing
