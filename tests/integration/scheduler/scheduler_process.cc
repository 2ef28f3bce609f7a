#include "tests/integration/scheduler/scheduler_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace dragonfly::tests {
namespace {

std::string Program() {
  const char* folder = std::getenv("DRAGONFLY_BIN_DIR");
  return std::string(folder == nullptr ? "build/release/bin" : folder) + "/scheduler";
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

SchedulerProcess::SchedulerProcess(const std::string& yaml, const std::string& dynconfig,
                                   const std::string& server) {
  std::string name = (std::filesystem::temp_directory_path() / "scheduler-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = name;
  WriteText(folder_ + "/scheduler.yaml",
            "server:\n  advertiseIP: 127.0.0.1\n  listenIP: 127.0.0.1\n  port: 0\n  cacheDir: " +
                folder_ + "/cache\n" + server + "metrics:\n  enable: true\n  addr: 127.0.0.1:0\n" +
                yaml);
  if (!dynconfig.empty()) WriteText(folder_ + "/dynconfig.yaml", dynconfig);
  const std::string program = Program();
  const std::string config = folder_ + "/scheduler.yaml";
  const std::string dynconfig_path = folder_ + "/dynconfig.yaml";
  const std::string log = folder_ + "/console.log";
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when the test crashes
    const int out = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execl(program.c_str(), "scheduler", "--console", "--config", config.c_str(), "--dynconfig",
          dynconfig_path.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  metrics_ = WaitForValue("INFO metrics ", "address=");
  address_ = WaitForValue("INFO scheduler serves ", "address=");
}

SchedulerProcess::~SchedulerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string SchedulerProcess::Log() const { return ReadText(folder_ + "/console.log"); }

std::string SchedulerProcess::WaitForValue(const std::string& event, const std::string& key) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string log = Log();
    const size_t line = log.find(event);
    const size_t begin = line == std::string::npos ? line : log.find(key, line);
    const size_t end = begin == std::string::npos ? begin : log.find_first_of(" \n", begin);
    if (end != std::string::npos) return log.substr(begin + key.size(), end - begin - key.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error("the scheduler did not start:\n" + Log());
}

int SchedulerProcess::WaitEnd(int seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  do {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (std::chrono::steady_clock::now() < deadline);
  return -1;
}

Finished RunScheduler(const std::string& arguments) {
  Finished out;
  std::FILE* pipe = popen((Program() + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> chunk{};
  while (true) {
    const size_t got = std::fread(chunk.data(), 1, chunk.size(), pipe);
    if (got == 0) break;
    out.output.append(chunk.data(), got);
  }
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

}  // namespace dragonfly::tests
