#include "manager/store/connection_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::manager::store {

ConnectionPool::Lease::Lease(ConnectionPool* pool, std::unique_ptr<sql::Connection> connection)
    : pool_(pool), connection_(std::move(connection)) {}

ConnectionPool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}

ConnectionPool::Lease::~Lease() {
  if (pool_ == nullptr) return;
  // What its user has left open must not become part of what the next one does.
  if (connection_ != nullptr && !connection_->Rollback().ok()) connection_.reset();
  pool_->Return(std::move(connection_));
}

void ConnectionPool::Lease::Break() {
  connection_.reset();
  std::vector<std::unique_ptr<sql::Connection>> others;  // closed without the mutex
  {
    const std::lock_guard lock(pool_->mutex_);
    others.swap(pool_->idle_);
  }
}

ConnectionPool::ConnectionPool(sql::Dialect& dialect, Options options)
    : dialect_(dialect), options_(options) {}

absl::StatusOr<ConnectionPool::Lease> ConnectionPool::Acquire() {
  {
    std::unique_lock lock(mutex_);
    const auto deadline =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(options_.wait);
    const bool free = returned_.wait_until(
        lock, deadline, [this] { return in_use_ < std::max<size_t>(1, options_.connections); });
    if (!free) {
      return common::status::MakeStatus(absl::StatusCode::kResourceExhausted,
                                        common::status::ErrorReason::kOverloaded,
                                        absl::StrCat("all ", options_.connections,
                                                     " connections to the database have been busy "
                                                     "for ",
                                                     absl::FormatDuration(options_.wait),
                                                     "; try again, or allow more connections"));
    }
    ++in_use_;
    if (!idle_.empty()) {
      std::unique_ptr<sql::Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lease(this, std::move(connection));
    }
  }
  absl::StatusOr<std::unique_ptr<sql::Connection>> made = dialect_.Connect();
  if (!made.ok()) {
    Return(nullptr);
    return made.status();
  }
  return Lease(this, *std::move(made));
}

void ConnectionPool::Return(std::unique_ptr<sql::Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection != nullptr) idle_.push_back(std::move(connection));
  }
  returned_.notify_one();
}

}  // namespace dragonfly::manager::store
