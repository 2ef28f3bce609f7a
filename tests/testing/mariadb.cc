#include "tests/testing/mariadb.h"

#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "tests/testing/process.h"

namespace dragonfly::tests::testing {
namespace {

// The user that the server may be, and its options that say so.
const passwd* ServerUser() { return geteuid() == 0 ? getpwnam("mysql") : nullptr; }

void AddUser(std::vector<std::string>& arguments) {
  if (ServerUser() != nullptr) arguments.push_back("--user=mysql");
}

}  // namespace

MariaDb::MariaDb() : MariaDb(Options()) {}

MariaDb::MariaDb(Options options) : options_(std::move(options)) {
  // The path of a socket has at most 107 characters, so the folder is directly below /tmp.
  directory_ = "/tmp/dragonfly-mariadb-XXXXXX";
  if (mkdtemp(directory_.data()) == nullptr) {
    error_ = "no temporary directory at " + directory_;
    return;
  }
  if (!Install()) return;
  for (int i = 0; i < 5; ++i) {
    port_ = FreePort();
    if (Start()) return;
  }
}

MariaDb::~MariaDb() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool MariaDb::Install() {
  if (!options_.certificate_pem.empty()) {
    WriteFile(directory_ + "/cert.pem", options_.certificate_pem);
    WriteFile(directory_ + "/key.pem", options_.key_pem);
  }
  const passwd* const user = ServerUser();
  if (user != nullptr) {
    for (const std::string& path :
         {directory_, directory_ + "/cert.pem", directory_ + "/key.pem"}) {
      if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0 && path == directory_) {
        error_ = "cannot give " + path + " to the user mysql";
        return false;
      }
    }
  }
  std::vector<std::string> arguments = {"mariadb-install-db",
                                        "--no-defaults",
                                        "--skip-test-db",
                                        "--auth-root-authentication-method=normal",
                                        "--innodb-log-file-size=8M",
                                        "--datadir=" + directory_ + "/data"};
  AddUser(arguments);
  const std::string log = directory_ + "/install.log";
  const pid_t pid = Spawn(arguments, log);
  int status = 0;
  if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  error_ = "mariadb-install-db failed: " + ReadFile(log);
  return false;
}

bool MariaDb::Start() {
  std::vector<std::string> arguments = {"mariadbd",
                                        "--no-defaults",
                                        "--datadir=" + directory_ + "/data",
                                        "--port=" + std::to_string(port_),
                                        "--bind-address=127.0.0.1",
                                        "--socket=" + socket(),
                                        "--pid-file=" + directory_ + "/pid",
                                        "--skip-name-resolve",
                                        "--innodb-log-file-size=8M",
                                        "--innodb-buffer-pool-size=16M",
                                        "--innodb-flush-log-at-trx-commit=2"};
  AddUser(arguments);
  if (!options_.certificate_pem.empty()) {
    arguments.push_back("--ssl-cert=" + directory_ + "/cert.pem");
    arguments.push_back("--ssl-key=" + directory_ + "/key.pem");
  }
  const std::string log = directory_ + "/log";
  pid_ = Spawn(arguments, log);
  return WaitUntilItAnswers(log);
}

bool MariaDb::WaitUntilItAnswers(const std::string& log) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      error_ = "mariadbd does not start: " + ReadFile(log);
      return false;
    }
    if (Answers(port_)) {
      error_.clear();
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  error_ = "mariadbd does not listen: " + ReadFile(log);
  Kill();
  return false;
}

void MariaDb::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace dragonfly::tests::testing
