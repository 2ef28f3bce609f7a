// dfdaemon as a process: a node of the swarm.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/program/program.h"
#include "dfdaemon/app/application.h"
#include "dfdaemon/app/config_schema.h"

namespace dragonfly::dfdaemon {
namespace {

namespace log = common::log;

class Dfdaemon final : public common::program::ApplicationService<app::Application> {
 public:
  About about() const override {
    return {.name = "dfdaemon",
            .what = "fetches files from the swarm and passes them on",
            .default_config = "/etc/dragonfly/dfdaemon.yaml",
            .variable_prefix = "DFDAEMON",
            .needs_config = true};
  }
  std::vector<common::program::Option> options() override {
    return {
        {.names = "--dynconfig",
         .value = &dynconfig_,
         .help = "where the schedulers are named",
         .environment = "DFDAEMON_DYNCONFIG",
         .choices = {}},
        {.names = "-l,--log-level",
         .value = &log_level_,
         .help = "least level that is logged",
         .environment = "DFDAEMON_LOG_LEVEL",
         .choices = {"debug", "info", "warn", "warning", "error", "off"}},
        {.names = "--log-dir",
         .value = &log_dir_,
         .help = "folder of the log files",
         .environment = "DFDAEMON_LOG_DIR",
         .choices = {}},
        {.names = "--log-max-files",
         .value = &log_max_files_,
         .help = "log files kept",
         .environment = "DFDAEMON_LOG_MAX_FILES",
         .choices = {}},
    };
  }
  common::config::Schema MakeSchema(bool strict) override {
    return app::MakeSchema(config_, {.strict = strict});
  }
  absl::StatusOr<log::Options> LogOptions() override {
    log::Options options;
    options.directory = log_dir_;
    options.max_files = log_max_files_;
    absl::Status parsed = log::ParseLevel(log_level_, &options.level);
    if (!parsed.ok()) return parsed;
    return options;
  }

 private:
  absl::StatusOr<std::unique_ptr<app::Application>> Make() override {
    return app::Application::Start(config_, dynconfig_);
  }

  app::Config config_;
  std::string dynconfig_ = "/etc/dragonfly/dynconfig.yaml";
  std::string log_level_ = "info";
  std::string log_dir_ = "/var/log/dragonfly/dfdaemon";
  size_t log_max_files_ = 6;
};

}  // namespace
}  // namespace dragonfly::dfdaemon

int main(int argc, char** argv) {
  dragonfly::dfdaemon::Dfdaemon dfdaemon;
  return dragonfly::common::program::Run(dfdaemon, argc, argv);
}
