#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/co.h"

namespace dragonfly::common::async {

// The event loops of a process: `cores` threads, each with an Executor of its own. What belongs
// together (a task and its connections) is placed on one of them by hash and needs no locks.
//
// Threading: every method may be called from any thread, Stop and the destructor from none of its
// own.
class Runtime {
 public:
  // `name`: prefix of the threads' names, at most 10 characters.
  Runtime(size_t cores, std::string name);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();  // Stop()

  size_t cores() const;
  Executor executor(size_t core) const;
  // The same executor for the same hash.
  Executor ForHash(uint64_t hash) const;

  // Ends the threads after the handler that each is running. Objects that belong to an executor
  // must have been shut down before (cancelled and joined); what is still queued is destroyed, not
  // run.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs `fn` on the executor's thread, later, also when called from it.
void Post(Executor executor, std::function<void()> fn);
// True on the executor's thread.
bool RunsHere(Executor executor);
// Starts `make` as a coroutine on the executor and blocks until it has ended: for main.cc and
// tests.
void RunToEnd(Executor executor, std::function<Co<void>()> make);

// Calls a function at a time. Re-arming replaces; the destructor disarms. For shells around pure
// cores: after every event, `timer.Arm(core.next_deadline() - now, ...)`. Threading: belongs to its
// executor.
class Timer {
 public:
  explicit Timer(Executor executor);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();
  // InfiniteDuration disarms; zero or less fires in the next turn.
  void Arm(absl::Duration delay, std::function<void()> fn);
  void Disarm();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the pending wait
};

}  // namespace dragonfly::common::async
