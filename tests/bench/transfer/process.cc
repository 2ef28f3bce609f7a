#include "tests/bench/transfer/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

namespace dragonfly::bench {
namespace {

double Seconds(const timeval& value) {
  return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) * 1e-6;
}

std::string UsageLine() {
  const Usage usage = UsageNow();
  std::ostringstream out;
  out.precision(9);
  out << usage.cpu_seconds << ' ' << usage.rss_anon_kib << ' ' << usage.vm_hwm_kib;
  return out.str();
}

}  // namespace

void Die(const std::string& message) {
  std::fprintf(stderr, "transfer_bench: %s\n", message.c_str());
  std::exit(2);
}

Usage UsageNow() {
  Usage usage;
  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  usage.cpu_seconds = Seconds(self.ru_utime) + Seconds(self.ru_stime);
  std::ifstream status("/proc/self/status");
  std::string key;
  while (status >> key) {
    if (key == "RssAnon:") status >> usage.rss_anon_kib;
    if (key == "VmHWM:") status >> usage.vm_hwm_kib;
    status.ignore(4096, '\n');
  }
  return usage;
}

Worker::Worker(const std::string& role, const std::vector<std::string>& arguments) : role_(role) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) Die("pipe failed");
  std::vector<std::string> words = {"transfer_bench", "--role", role};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_ = in[1];
  from_ = out[0];
  greeting_ = ReadLine();
}

Worker::~Worker() {
  close(to_);
  close(from_);
  int status = 0;
  waitpid(pid_, &status, 0);
}

std::string Worker::ReadLine() {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t got = read(from_, &c, 1);
    if (got <= 0) Die("the " + role_ + " process ended");
    if (c == '\n') return line;
    line.push_back(c);
  }
}

std::string Worker::Call(std::string_view command) {
  std::string line(command);
  line.push_back('\n');
  if (write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    Die("the " + role_ + " process does not listen");
  std::string answer = ReadLine();
  if (answer.starts_with("error")) Die(role_ + ": " + answer);
  return answer;
}

Usage Worker::AskUsage() {
  std::istringstream in(Call("usage"));
  Usage usage;
  in >> usage.cpu_seconds >> usage.rss_anon_kib >> usage.vm_hwm_kib;
  return usage;
}

void ServeCommands(std::string_view greeting, std::string (*handle)(void*, const std::string&),
                   void* context) {
  std::cout << greeting << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << (line == "usage" ? UsageLine() : handle(context, line)) << std::endl;
  }
}

}  // namespace dragonfly::bench
