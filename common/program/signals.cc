#include "common/program/signals.h"

#include <pthread.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "absl/time/clock.h"
#include "common/log/log.h"

namespace dragonfly::common::program {

Signals::Signals(absl::Duration patience) : patience_(patience) {
  sigemptyset(&set_);
  for (const int number : {SIGINT, SIGTERM, SIGQUIT}) sigaddset(&set_, number);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  thread_ = std::thread([this] { Watch(); });
}

Signals::~Signals() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGTERM);  // wakes it
  thread_.join();
}

int Signals::Await() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return first_ != 0; });
  return first_;
}

void Signals::Watch() {
  int number = 0;
  while (sigwait(&set_, &number) != 0) {
  }
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    first_ = number;
  }
  changed_.notify_all();
  const absl::Time deadline = absl::Now() + patience_;
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    const timespec wait =
        absl::ToTimespec(left > absl::ZeroDuration() ? left : absl::ZeroDuration());
    const int second = sigtimedwait(&set_, nullptr, &wait);
    const int error = errno;
    {
      const std::lock_guard lock(mutex_);
      if (done_) return;
    }
    // Nothing may run any more, destructors included: threads are in the middle of their work.
    if (second > 0) std::_Exit(128 + second);
    if (error == EINTR) continue;
    log::Error("did not end in time; ends now", log::kv("after", patience_));
    log::Shutdown();
    std::_Exit(1);
  }
}

}  // namespace dragonfly::common::program
