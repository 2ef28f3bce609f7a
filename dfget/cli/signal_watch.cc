#include "dfget/cli/signal_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <utility>

#include "absl/time/clock.h"
#include "dfget/cli/exit_code.h"

namespace dragonfly::dfget::cli {
namespace {

sigset_t WatchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
      sigaddset(&set, signal);
    }
  }
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = WatchedSignals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

SignalWatch::SignalWatch(Callbacks callbacks, absl::Duration tick, absl::Duration grace)
    : callbacks_(std::move(callbacks)), tick_(tick), grace_(grace) {
  const sigset_t set = WatchedSignals();
  signals_.Reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  stop_.Reset(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { Loop(); });
}

SignalWatch::~SignalWatch() {
  const uint64_t one = 1;
  // Cannot fail: the counter of an eventfd is far from full.
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

void SignalWatch::Loop() {
  absl::Time give_up = absl::InfiniteFuture();
  while (absl::Now() < give_up) {
    std::array<pollfd, 2> waited = {pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0}};
    ::poll(waited.data(), waited.size(), static_cast<int>(absl::ToInt64Milliseconds(tick_)));
    if (waited[0].revents != 0) return;
    signalfd_siginfo info = {};
    const bool signalled =
        waited[1].revents != 0 && ::read(signals_.get(), &info, sizeof info) == sizeof info;
    if (!signalled) {
      callbacks_.on_tick();
      continue;
    }
    if (caught_.exchange(static_cast<int>(info.ssi_signo)) != 0) break;
    give_up = absl::Now() + grace_;
    callbacks_.on_signal();
  }
  ::_exit(ExitCodeOfSignal(caught_.load()));
}

}  // namespace dragonfly::dfget::cli
