#include "tests/testing/redis.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include "tests/testing/process.h"

namespace dragonfly::tests::testing {
namespace {

std::string MakeDirectory(const char* name) {
  const char* base = std::getenv("TMPDIR");
  std::string directory =
      std::string(base != nullptr ? base : "/tmp") + "/dragonfly-" + name + "-XXXXXX";
  return mkdtemp(directory.data()) == nullptr ? std::string() : directory;
}

// Why the program does not listen; empty: it does.
std::string WaitToListen(pid_t& pid, uint16_t port, const std::string& log) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) {
      pid = -1;
      return "redis does not start: " + ReadFile(log);
    }
    if (Answers(port)) return std::string();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return "redis does not listen: " + ReadFile(log);
}

void End(pid_t& pid) {
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  pid = -1;
}

}  // namespace

Redis::Redis() : Redis(Options()) {}

Redis::Redis(Options options) : options_(std::move(options)), directory_(MakeDirectory("redis")) {
  // The port is free when it is looked up and may be taken when it is used.
  for (int i = 0; i < 5; ++i) {
    port_ = FreePort();
    if (Start()) return;
  }
}

Redis::~Redis() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool Redis::Start() {
  const std::string port = std::to_string(port_);
  const bool tls = !options_.certificate_file.empty();
  std::vector<std::string> arguments = {"redis-server", "--bind", "127.0.0.1", "--save",  "",
                                        "--appendonly", "no",     "--dir",     directory_};
  const auto add = [&arguments](const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (tls) {
    add({"--port", "0", "--tls-port", port, "--tls-cert-file", options_.certificate_file,
         "--tls-key-file", options_.key_file, "--tls-auth-clients", "no"});
  } else {
    add({"--port", port});
  }
  if (!options_.username.empty()) {
    add({"--user", "default", "off", "--user", options_.username, "on", ">" + options_.password,
         "~*", "&*", "+@all"});
  } else if (!options_.password.empty()) {
    add({"--requirepass", options_.password});
  }
  add(options_.more);
  const std::string log = directory_ + "/log";
  pid_ = Spawn(arguments, log);
  error_ = WaitToListen(pid_, port_, log);
  return error_.empty();
}

void Redis::Stop() { End(pid_); }

RedisSentinel::RedisSentinel(const Redis& master) : directory_(MakeDirectory("sentinel")) {
  const std::string configuration = directory_ + "/sentinel.conf";
  const std::string log = directory_ + "/log";
  for (int i = 0; i < 5; ++i) {
    port_ = FreePort();
    WriteFile(configuration, "bind 127.0.0.1\nport " + std::to_string(port_) + "\ndir " +
                                 directory_ + "\nsentinel monitor main 127.0.0.1 " +
                                 std::to_string(master.port()) + " 1\n");
    pid_ = Spawn({"redis-sentinel", configuration}, log);
    error_ = WaitToListen(pid_, port_, log);
    if (error_.empty()) return;
  }
}

RedisSentinel::~RedisSentinel() {
  End(pid_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace dragonfly::tests::testing
