#include "common/async/runtime.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <csignal>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "common/async/asio.h"

namespace dragonfly::common::async {
namespace {

// sendfile(2) has no MSG_NOSIGNAL: a peer that goes away must not end the process.
void IgnoreSigpipe() {
  struct sigaction current {};
  if (sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) {
    current.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &current, nullptr);
  }
}

struct Core {
  Core() : context(1), work(boost::asio::make_work_guard(context)) {}
  boost::asio::io_context context;
  boost::asio::executor_work_guard<Executor> work;
  std::thread thread;
};

}  // namespace

struct Runtime::Impl {
  std::vector<std::unique_ptr<Core>> cores;
};

Runtime::Runtime(size_t cores, std::string name) : impl_(std::make_unique<Impl>()) {
  IgnoreSigpipe();
  cores = std::max<size_t>(cores, 1);
  for (size_t i = 0; i < cores; ++i) impl_->cores.push_back(std::make_unique<Core>());
  for (size_t i = 0; i < cores; ++i) {
    Core* core = impl_->cores[i].get();
    core->thread = std::thread([core] { core->context.run(); });
    // The kernel keeps 15 characters.
    std::string thread_name = name.substr(0, 10) + "-" + std::to_string(i);
    pthread_setname_np(core->thread.native_handle(), thread_name.substr(0, 15).c_str());
  }
}

Runtime::~Runtime() { Stop(); }

size_t Runtime::cores() const { return impl_->cores.size(); }

Executor Runtime::executor(size_t core) const {
  return impl_->cores.at(core)->context.get_executor();
}

Executor Runtime::ForHash(uint64_t hash) const {
  return executor(static_cast<size_t>(hash % impl_->cores.size()));
}

void Runtime::Stop() {
  for (auto& core : impl_->cores) core->context.stop();
  for (auto& core : impl_->cores) {
    if (core->thread.joinable()) core->thread.join();
  }
}

void Post(Executor executor, std::function<void()> fn) {
  boost::asio::post(executor, std::move(fn));
}

bool RunsHere(Executor executor) { return executor.running_in_this_thread(); }

void RunToEnd(Executor executor, std::function<Co<void>()> make) {
  std::promise<void> ended;
  std::future<void> end = ended.get_future();
  // `make` and what it captured live until the coroutine has ended, because this function does.
  Post(executor, [&] {
    boost::asio::co_spawn(executor, make(), [&ended](const std::exception_ptr& escaped) {
      if (escaped) {
        ended.set_exception(escaped);
      } else {
        ended.set_value();
      }
    });
  });
  end.get();
}

struct Timer::Impl {
  explicit Impl(Executor executor) : timer(executor) {}
  AsioTimer timer;
  std::function<void()> fn;
  bool armed = false;
  uint64_t generation = 0;  // a wait that was queued before the last Arm or Disarm is out of date
};

Timer::Timer(Executor executor) : impl_(std::make_shared<Impl>(executor)) {}

Timer::~Timer() { Disarm(); }

void Timer::Arm(absl::Duration delay, std::function<void()> fn) {
  Disarm();
  if (delay == absl::InfiniteDuration()) return;
  impl_->armed = true;
  impl_->fn = std::move(fn);
  impl_->timer.expires_at(ExpiryAfter(delay));
  impl_->timer.async_wait([impl = impl_, mine = impl_->generation](const AsioError&) {
    if (impl->generation != mine) return;
    impl->armed = false;
    ++impl->generation;
    std::function<void()> now = std::move(impl->fn);
    impl->fn = nullptr;
    now();
  });
}

void Timer::Disarm() {
  // An owner that disarms it on the executor may destroy it on another thread, where the wait that
  // was cancelled may still be about to end here.
  if (!impl_->armed) return;
  impl_->armed = false;
  ++impl_->generation;
  impl_->timer.cancel();
  impl_->fn = nullptr;
}

}  // namespace dragonfly::common::async
