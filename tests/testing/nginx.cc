#include "tests/testing/nginx.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>

#include "tests/testing/process.h"

namespace dragonfly::tests::testing {
namespace {

constexpr std::array kCodes = {204, 304, 400, 401, 403, 404, 410, 416, 429, 500, 502, 503};

std::string Configuration(const std::string& directory, uint16_t port, bool tls) {
  std::ostringstream out;
  out << "daemon off;\nmaster_process off;\npid " << directory << "/nginx.pid;\nerror_log "
      << directory << "/error.log;\nevents { worker_connections 512; }\nhttp {\n"
      << "  access_log " << directory << "/access.log;\n";
  for (const char* each : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    out << "  " << each << "_temp_path " << directory << "/tmp_" << each << ";\n";
  }
  out << "  server {\n    listen 127.0.0.1:" << port << (tls ? " ssl" : "") << ";\n";
  if (tls) {
    out << "    ssl_certificate " << directory << "/cert.pem;\n    ssl_certificate_key "
        << directory << "/key.pem;\n";
  }
  const std::string alias = " { alias " + directory + "/files/; ";
  out << "    location /f/" << alias << "}\n"
      << "    location /noranges/" << alias << "max_ranges 0; }\n"
      << "    location /chunked/" << alias
      << "sub_filter_types *; sub_filter 'never to be found in any test' ''; }\n"
      << "    location /slow/" << alias << "limit_rate 64k; }\n"
      << "    location /gzip/" << alias << "add_header Content-Encoding gzip; }\n"
      << "    location = /silent { return 444; }\n"
      << "    location = /to { return 302 $args; }\n"
      << "    location ~ ^/to/(.*)$ { return 302 /f/$1; }\n";
  for (const int code : kCodes) {
    out << "    location = /s/" << code << " { add_header X-Why test always; return " << code
        << "; }\n";
  }
  out << "  }\n}\n";
  return out.str();
}

}  // namespace

Nginx::Nginx() : Nginx(Options()) {}

Nginx::Nginx(Options options) {
  const char* base = std::getenv("TMPDIR");
  directory_ = std::string(base != nullptr ? base : "/tmp") + "/dragonfly-nginx-XXXXXX";
  if (mkdtemp(directory_.data()) == nullptr) {
    error_ = "no temporary directory at " + directory_;
    return;
  }
  std::filesystem::create_directory(directory_ + "/files");
  // The port is free when it is looked up and may be taken when it is used.
  for (int i = 0; i < 5; ++i) {
    if (Launch(options)) return;
  }
}

Nginx::~Nginx() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool Nginx::Launch(const Options& options) {
  port_ = FreePort();
  tls_ = !options.certificate_pem.empty();
  if (tls_) {
    WriteFile(directory_ + "/cert.pem", options.certificate_pem);
    WriteFile(directory_ + "/key.pem", options.key_pem);
  }
  const std::string configuration = directory_ + "/nginx.conf";
  const std::string log = directory_ + "/error.log";
  WriteFile(configuration, Configuration(directory_, port_, tls_));
  pid_ = Spawn({"nginx", "-c", configuration, "-p", directory_, "-e", log}, log);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      error_ = "nginx does not start: " + ReadFile(log);
      return false;
    }
    if (Answers(port_)) {
      error_.clear();
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  error_ = "nginx does not listen";
  Stop();
  return false;
}

std::string Nginx::url() const {
  return std::string(tls_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
}

std::string Nginx::Put(const std::string& name, const std::string& body) {
  const std::string path = directory_ + "/files/" + name;
  // By rename, so that a reader has the old file or the new one.
  WriteFile(path + ".new", body);
  std::filesystem::rename(path + ".new", path);
  return "/" + name;
}

void Nginx::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace dragonfly::tests::testing
