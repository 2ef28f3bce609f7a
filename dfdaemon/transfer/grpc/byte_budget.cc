#include "dfdaemon/transfer/grpc/byte_budget.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::transfer::grpc {

namespace async = common::async;

ByteBudget::Share::Share(std::shared_ptr<ByteBudget> budget, uint64_t bytes)
    : budget_(std::move(budget)), bytes_(bytes) {}

ByteBudget::Share::Share(Share&& other) noexcept
    : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}

ByteBudget::Share& ByteBudget::Share::operator=(Share&& other) noexcept {
  if (this == &other) return *this;
  Release();
  budget_ = std::move(other.budget_);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

ByteBudget::Share::~Share() { Release(); }

void ByteBudget::Share::Release() {
  if (budget_ == nullptr) return;
  const std::shared_ptr<ByteBudget> budget = std::move(budget_);
  budget_ = nullptr;
  budget->GiveBack(std::exchange(bytes_, 0));
}

// Shared by the queue, the waiting coroutine and the posted hand-over, because a waiter whose scope
// ends may be on its way to being served.
struct ByteBudget::Waiter {
  Waiter(async::Executor the_executor, uint64_t the_bytes)
      : executor(the_executor), bytes(the_bytes), served(the_executor) {}
  const async::Executor executor;
  const uint64_t bytes;
  async::Signal served;  // belongs to `executor`, like what follows
  Share share;
  bool has_share = false;
};

std::shared_ptr<ByteBudget> ByteBudget::Make(uint64_t capacity_bytes, size_t max_waiting) {
  return std::shared_ptr<ByteBudget>(new ByteBudget(capacity_bytes, max_waiting));
}

ByteBudget::ByteBudget(uint64_t capacity_bytes, size_t max_waiting)
    : capacity_(capacity_bytes), max_waiting_(max_waiting) {}

ByteBudget::~ByteBudget() = default;

uint64_t ByteBudget::in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_;
}

size_t ByteBudget::waiting() const {
  std::lock_guard lock(mutex_);
  return waiters_.size();
}

std::optional<ByteBudget::Share> ByteBudget::TryTake(uint64_t bytes) {
  bytes = std::min(bytes, capacity_);
  std::lock_guard lock(mutex_);
  if (!waiters_.empty() || bytes > capacity_ - in_use_) return std::nullopt;
  in_use_ += bytes;
  return Share(shared_from_this(), bytes);
}

async::Co<absl::StatusOr<ByteBudget::Share>> ByteBudget::Take(async::CancelScope& scope,
                                                              uint64_t bytes) {
  if (scope.cancelled()) co_return scope.status();
  bytes = std::min(bytes, capacity_);
  std::optional<Share> share = TryTake(bytes);
  if (share.has_value()) co_return std::move(*share);
  auto waiter = std::make_shared<Waiter>(scope.executor(), bytes);
  {
    std::lock_guard lock(mutex_);
    if (waiters_.size() >= max_waiting_) {
      co_return common::status::MakeStatus(
          absl::StatusCode::kResourceExhausted, common::status::ErrorReason::kOverloaded,
          common::status::StdView(absl::StrCat("pieces of ", in_use_, " bytes are in memory and ",
                                               waiters_.size(), " others wait: try again later")));
    }
    waiters_.push_back(waiter);
    ServeLocked();  // what was given back in between
  }
  while (!waiter->has_share) {
    absl::Status waited = co_await waiter->served.Wait(scope);
    if (waited.ok()) continue;
    std::lock_guard lock(mutex_);
    // Those behind may want less. If it is not in the queue any more, its share is on the way and
    // comes back with the last reference.
    std::erase(waiters_, waiter);
    ServeLocked();
    co_return waited;
  }
  co_return std::move(waiter->share);
}

void ByteBudget::GiveBack(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  in_use_ -= bytes;
  ServeLocked();
}

void ByteBudget::ServeLocked() {
  while (!waiters_.empty() && waiters_.front()->bytes <= capacity_ - in_use_) {
    std::shared_ptr<Waiter> next = std::move(waiters_.front());
    waiters_.pop_front();
    in_use_ += next->bytes;
    auto share = std::make_shared<Share>(Share(shared_from_this(), next->bytes));
    const async::Executor executor = next->executor;
    async::Post(executor, [next = std::move(next), share = std::move(share)] {
      next->share = std::move(*share);
      next->has_share = true;
      next->served.Notify();
    });
  }
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
