#include "common/async/signal.h"

#include <boost/asio/async_result.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/async/asio.h"

namespace dragonfly::common::async {
namespace {

// The suspended rest of a coroutine, of whatever type Asio gives it.
class Suspended {
 public:
  virtual ~Suspended() = default;
  virtual void PostTo(Executor executor) = 0;
};

template <typename Handler>
class SuspendedHandler final : public Suspended {
 public:
  explicit SuspendedHandler(Handler handler) : handler_(std::move(handler)) {}
  void PostTo(Executor executor) override { boost::asio::post(executor, std::move(handler_)); }

 private:
  Handler handler_;
};

struct StoreHandler {
  std::unique_ptr<Suspended>* store;
  template <typename Handler>
  void operator()(Handler&& handler) const {
    using Plain = std::decay_t<Handler>;
    *store = std::make_unique<SuspendedHandler<Plain>>(std::forward<Handler>(handler));
  }
};

}  // namespace

struct Signal::Waiter {
  std::unique_ptr<Suspended> suspended;
  absl::Status result;
  bool waiting = true;

  // The resumed coroutine destroys this object, so what is posted may not be in it.
  void Resume(Executor executor, absl::Status with) {
    waiting = false;
    result = std::move(with);
    std::unique_ptr<Suspended> rest = std::move(suspended);
    rest->PostTo(executor);
  }
};

Signal::~Signal() {
  if (waiters_.empty()) return;
  std::fputs("BUG: a Signal was destroyed while coroutines wait for it\n", stderr);
  std::abort();
}

Co<absl::Status> Signal::Wait(CancelScope& scope) {
  if (scope.cancelled()) co_return scope.status();
  Waiter waiter;
  auto position = waiters_.insert(waiters_.end(), &waiter);
  // A notification that came first is not taken back: the waiter then returns OK and finds out
  // later.
  CancelScope::Watch watch = scope.OnCancel([this, &scope, &waiter, position] {
    if (!waiter.waiting) return;
    waiters_.erase(position);
    waiter.Resume(executor_, scope.status());
  });
  StoreHandler initiation;
  initiation.store = &waiter.suspended;
  boost::asio::use_awaitable_t<Executor> token;
  co_await boost::asio::async_initiate<boost::asio::use_awaitable_t<Executor>, void()>(initiation,
                                                                                       token);
  co_return waiter.result;
}

void Signal::Notify() {
  if (waiters_.empty()) return;
  Waiter* first = waiters_.front();
  waiters_.pop_front();
  first->Resume(executor_, absl::OkStatus());
}

void Signal::NotifyAll() {
  while (!waiters_.empty()) Notify();
}

}  // namespace dragonfly::common::async
