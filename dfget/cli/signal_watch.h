#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "common/os/unique_fd.h"

namespace dragonfly::dfget::cli {

// Keeps SIGINT and SIGTERM from ending the process, so that a SignalWatch gets them. A signal that
// the process was started to ignore stays ignored. SIGPIPE becomes an error of write. Call before
// the first thread exists: threads inherit the mask.
void BlockSignals();

// A thread that waits for the signals of BlockSignals and for time to pass. After the first signal
// the rest of the program has `grace` to clean up and end; after that, or at a second signal, the
// process ends with 128 + signal without more ado.
class SignalWatch {
 public:
  // The callbacks run on the watch's thread.
  struct Callbacks {
    std::function<void()> on_signal;  // at the first one
    std::function<void()> on_tick;    // every `tick`
  };
  SignalWatch(Callbacks callbacks, absl::Duration tick, absl::Duration grace);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();  // joins

  // 0 = none so far. Any thread.
  int caught() const { return caught_.load(); }

 private:
  void Loop();

  const Callbacks callbacks_;
  const absl::Duration tick_;
  const absl::Duration grace_;
  common::os::UniqueFd signals_;
  common::os::UniqueFd stop_;
  std::atomic<int> caught_ = 0;
  std::thread thread_;
};

}  // namespace dragonfly::dfget::cli
