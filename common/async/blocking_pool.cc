#include "common/async/blocking_pool.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/status/reason.h"

namespace dragonfly::common::async {

struct BlockingPool::Impl {
  explicit Impl(size_t the_capacity) : capacity(the_capacity) {}

  const size_t capacity;
  std::mutex mutex;  // guards jobs and closing
  std::condition_variable wake;
  std::deque<std::function<void()>> jobs;
  bool closing = false;
  std::vector<std::thread> threads;

  void Work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return closing || !jobs.empty(); });
      if (jobs.empty()) return;
      std::function<void()> job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it owns is destroyed without the lock
      lock.lock();
    }
  }
};

BlockingPool::BlockingPool(size_t threads, size_t queue_capacity)
    : impl_(std::make_unique<Impl>(std::max<size_t>(queue_capacity, 1))) {
  threads = std::max<size_t>(threads, 1);
  for (size_t i = 0; i < threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->Work(); });
    std::string name = "blocking-" + std::to_string(i);
    pthread_setname_np(impl_->threads.back().native_handle(), name.substr(0, 15).c_str());
  }
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->wake.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

absl::Status BlockingPool::Submit(std::function<void()> job) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->closing) {
      return status::MakeStatus(absl::StatusCode::kUnavailable, status::ErrorReason::kShutdown,
                                "the pool for blocking calls is shutting down");
    }
    if (impl_->jobs.size() >= impl_->capacity) {
      return status::MakeStatus(
          absl::StatusCode::kResourceExhausted, status::ErrorReason::kOverloaded,
          "the queue for blocking calls is full (" + std::to_string(impl_->capacity) + " jobs)");
    }
    impl_->jobs.push_back(std::move(job));
  }
  impl_->wake.notify_one();
  return absl::OkStatus();
}

}  // namespace dragonfly::common::async
