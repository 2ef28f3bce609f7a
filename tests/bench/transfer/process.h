#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dragonfly::bench {

// What a process has used so far.
struct Usage {
  double cpu_seconds = 0;  // user and system
  uint64_t rss_anon_kib = 0;
  uint64_t vm_hwm_kib = 0;
};
Usage UsageNow();

// This program again, in another role, spoken with by lines: every command has one line as answer.
// Ends the program with a message when the other end breaks. The process ends with this object.
class Worker {
 public:
  Worker(const std::string& role, const std::vector<std::string>& arguments);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // The line that the role prints when it is ready.
  const std::string& greeting() const { return greeting_; }
  std::string Call(std::string_view command);
  Usage AskUsage();

 private:
  std::string ReadLine();

  std::string role_;
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string greeting_;
};

// The other end: answers "usage" itself and everything else by `handle`, until the input ends.
// Prints `greeting` first.
void ServeCommands(std::string_view greeting, std::string (*handle)(void*, const std::string&),
                   void* context);

[[noreturn]] void Die(const std::string& message);

}  // namespace dragonfly::bench
