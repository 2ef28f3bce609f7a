#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/unit/dfget_cli/temp_dir.h"

namespace dragonfly::dfget::cli {

// A run of the program dfget; what it prints goes to files. Killed by its pid if it is still there
// at the end of the test.
class Child {
 public:
  // `stderr_fd`: instead of a file. `environment`: NAME=VALUE, besides ours.
  explicit Child(std::vector<std::string> arguments, int stderr_fd = -1,
                 std::vector<std::string> environment = {}) {
    const char* bin = std::getenv("DRAGONFLY_BIN_DIR");
    const std::string program = std::string(bin != nullptr ? bin : "bin") + "/dfget";
    arguments.insert(arguments.begin(), program);
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, out_.c_str(), O_CREAT | O_WRONLY, 0600);
    if (stderr_fd >= 0) {
      ::posix_spawn_file_actions_adddup2(&actions, stderr_fd, 2);
    } else {
      ::posix_spawn_file_actions_addopen(&actions, 2, err_.c_str(), O_CREAT | O_WRONLY, 0600);
    }
    std::vector<char*> argv = Pointers(arguments);
    std::vector<char*> envp = Pointers(environment);
    const int failed =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
    EXPECT_EQ(failed, 0) << program;
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  // The exit code, or 1000 + signal.
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  void Signal(int signal) const { ::kill(pid_, signal); }
  std::string CommandLine() const { return ReadFile("/proc/" + std::to_string(pid_) + "/cmdline"); }

  std::string out() const { return ReadFile(out_); }
  std::string err() const { return ReadFile(err_); }

 private:
  static std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }

  const TempDir dir_;
  const std::string out_ = dir_ / "out";
  const std::string err_ = dir_ / "err";
  pid_t pid_ = -1;
};

}  // namespace dragonfly::dfget::cli
