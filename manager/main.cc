// The manager as a process.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "common/program/log_keys.h"
#include "common/program/program.h"
#include "manager/app/application.h"
#include "manager/app/config.h"

namespace dragonfly::manager {
namespace {

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

class Manager final : public common::program::ApplicationService<app::Application> {
 public:
  About about() const override {
    return {.name = "manager",
            .what = "keeps clusters, accounts and configuration; REST API and gRPC",
            .default_config = "/etc/dragonfly/manager.yaml",
            .variable_prefix = "MANAGER"};
  }
  common::config::Schema MakeSchema(bool strict) override {
    return app::MakeSchema(config_, strict);
  }
  absl::StatusOr<common::log::Options> LogOptions() override {
    return common::program::LogOptionsOf(config_.log);
  }

 private:
  absl::StatusOr<std::unique_ptr<app::Application>> Make() override {
    app::FirstAccounts first;
    first.root_password = FromEnvironment("DRAGONFLY_INITIAL_ROOT_PASSWORD");
    first.access_token = FromEnvironment("DRAGONFLY_PAT");
    return app::Application::Start(config_, first);
  }
  // To the terminal and not to the log, which many may read and which is kept.
  void Started(const app::Application& application) override {
    if (application.root_password().empty()) return;
    std::fprintf(stderr,
                 "manager: first start: the user root has the password %s\n"
                 "manager: it is not shown again; change it after signing in\n",
                 application.root_password().c_str());
  }

  app::Config config_;
};

}  // namespace
}  // namespace dragonfly::manager

int main(int argc, char** argv) {
  dragonfly::manager::Manager manager;
  return dragonfly::common::program::Run(manager, argc, argv);
}
