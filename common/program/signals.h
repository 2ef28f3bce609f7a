#pragma once

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace dragonfly::common::program {

// SIGINT, SIGTERM and SIGQUIT, taken by a thread of their own: in no other thread that is started
// later do they arrive. One object a process, made before other threads are.
class Signals {
 public:
  // `patience`: from the first signal on; then the process ends with status 1.
  explicit Signals(absl::Duration patience);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();  // the work is done in time

  // Waits for the first one; its number.
  int Await();

 private:
  void Watch();

  const absl::Duration patience_;
  sigset_t set_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int first_ = 0;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace dragonfly::common::program
