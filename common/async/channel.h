#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/async/signal.h"

namespace dragonfly::common::async {

// A bounded queue between coroutines of one executor. Full: Push waits, TryPush says no. Closed:
// Push fails with the closing status, Pop hands out what is left and then fails with it
// (OUT_OF_RANGE for a close without error, which is the normal end).
//
// Threading: belongs to an executor. Several pushers and several poppers are allowed; each item
// goes to one popper.
template <typename T>
class Channel {
 public:
  Channel(Executor executor, size_t capacity)
      : capacity_(capacity), not_empty_(executor), not_full_(executor) {}

  bool TryPush(T item) {
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    not_empty_.Notify();
    return true;
  }

  Co<absl::Status> Push(CancelScope& scope, T item) {
    while (!closed_ && items_.size() >= capacity_) {
      absl::Status waited = co_await not_full_.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
    if (closed_) co_return close_status_;
    items_.push_back(std::move(item));
    not_empty_.Notify();
    co_return absl::OkStatus();
  }

  Co<absl::StatusOr<T>> Pop(CancelScope& scope) {
    while (items_.empty() && !closed_) {
      absl::Status waited = co_await not_empty_.Wait(scope);
      if (!waited.ok()) co_return waited;
    }
    if (items_.empty()) co_return close_status_;
    T item = std::move(items_.front());
    items_.pop_front();
    not_full_.Notify();
    co_return item;
  }

  std::optional<T> TryPop() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    not_full_.Notify();
    return item;
  }

  // The first call counts.
  void Close(absl::Status status = absl::OkStatus()) {
    if (closed_) return;
    closed_ = true;
    close_status_ = status.ok() ? absl::OutOfRangeError("channel closed") : std::move(status);
    not_empty_.NotifyAll();
    not_full_.NotifyAll();
  }

  size_t size() const { return items_.size(); }
  bool closed() const { return closed_; }

 private:
  size_t capacity_;
  std::deque<T> items_;
  bool closed_ = false;
  absl::Status close_status_;
  Signal not_empty_;
  Signal not_full_;
};

}  // namespace dragonfly::common::async
