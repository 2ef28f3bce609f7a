#pragma once

// Implementation of blocking_pool.h; include that one.

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"

namespace dragonfly::common::async {

template <typename Fn, typename R>
Co<R> RunBlocking(BlockingPool& pool, CancelScope& scope, Fn fn) {
  // Shared by the waiting coroutine and the job, because either may end first. `result` is the
  // job's until `ready`, which is the executor's.
  struct State {
    State(Executor executor, Fn the_fn) : fn(std::move(the_fn)), finished(executor) {}
    Fn fn;
    std::optional<R> result;
    bool ready = false;
    Signal finished;
  };

  if (scope.cancelled()) co_return scope.status();
  Executor executor = scope.executor();
  auto state = std::make_shared<State>(executor, std::move(fn));
  std::function<void()> job = [state, executor] {
    if constexpr (std::is_void_v<std::invoke_result_t<Fn>>) {
      state->fn();
      state->result.emplace(absl::OkStatus());
    } else {
      state->result.emplace(state->fn());
    }
    Post(executor, [state] {
      state->ready = true;
      state->finished.NotifyAll();
    });
  };
  absl::Status submitted = pool.Submit(std::move(job));
  if (!submitted.ok()) co_return submitted;
  while (!state->ready) {
    absl::Status waited = co_await state->finished.Wait(scope);
    if (!waited.ok()) co_return waited;
  }
  R result = std::move(*state->result);
  co_return result;
}

}  // namespace dragonfly::common::async
