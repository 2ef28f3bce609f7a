#include "common/async/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "common/async/asio.h"

namespace dragonfly::common::async {
namespace {

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "BUG: %s\n", what);
  std::abort();
}

[[noreturn]] void DieOf(const std::exception_ptr& escaped) {
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "BUG: an exception left a coroutine: %s\n", e.what());
  } catch (...) {
    std::fputs("BUG: an unknown exception left a coroutine\n", stderr);
  }
  std::abort();
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : executor_(executor), never_(executor), idle_(executor) {}

TaskGroup::~TaskGroup() {
  if (running_ > 0) Die("a TaskGroup was destroyed before it was joined");
}

void TaskGroup::Spawn(Co<void> co) {
  ++running_;
  // The completion runs after the coroutine's frame is gone, so that Join means what it says.
  boost::asio::co_spawn(executor_, std::move(co), [this](const std::exception_ptr& escaped) {
    if (escaped) DieOf(escaped);
    if (--running_ == 0) idle_.NotifyAll();
  });
}

Co<void> TaskGroup::Join() {
  while (running_ > 0) {
    absl::Status waited = co_await idle_.Wait(never_);
    waited.IgnoreError();  // never_ is never cancelled
  }
}

}  // namespace dragonfly::common::async
