#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "common/async/runtime.h"

// What the conformance suites of this module share.

namespace dragonfly::dfdaemon::node::testing {

// No test waits longer than this for something that has to come.
inline constexpr std::chrono::seconds kPatience{30};

// Things in the order they happened, added by one thread and awaited by another. Any thread.
class Record {
 public:
  void Add(std::string what) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(what));
    changed_.notify_all();
  }
  // Everything so far, when there are `count` lines or patience is over.
  std::vector<std::string> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
    return lines_;
  }
  std::vector<std::string> lines() { return WaitFor(0); }

 private:
  std::mutex mutex_;  // guards lines_
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

// Runs `what` on the executor and waits for it.
inline void RunOn(common::async::Executor executor, const std::function<void()>& what) {
  std::promise<void> done;
  common::async::Post(executor, [&] {
    what();
    done.set_value();
  });
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
}

}  // namespace dragonfly::dfdaemon::node::testing
