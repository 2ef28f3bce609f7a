// The scheduler as a process.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/program/log_keys.h"
#include "common/program/program.h"
#include "scheduler/app/application.h"
#include "scheduler/app/config.h"

namespace dragonfly::scheduler {
namespace {

class Scheduler final : public common::program::ApplicationService<app::Application> {
 public:
  About about() const override {
    return {.name = "scheduler",
            .what = "tells peers whom to download from",
            .default_config = "/etc/dragonfly/scheduler.yaml",
            .variable_prefix = "SCHEDULER"};
  }
  std::vector<common::program::Option> options() override {
    return {{.names = "--dynconfig",
             .value = &dynconfig_,
             .help = "settings of the cluster; created with defaults if missing",
             .environment = "",
             .choices = {}}};
  }
  common::config::Schema MakeSchema(bool strict) override {
    strict_ = strict;
    return app::MakeSchema(config_, strict);
  }
  absl::StatusOr<common::log::Options> LogOptions() override {
    return common::program::LogOptionsOf(config_.log);
  }

 private:
  absl::StatusOr<std::unique_ptr<app::Application>> Make() override {
    return app::Application::Start(config_, dynconfig_, strict_);
  }

  app::Config config_;
  std::string dynconfig_ = "/etc/dragonfly/dynconfig.yaml";
  bool strict_ = false;
};

}  // namespace
}  // namespace dragonfly::scheduler

int main(int argc, char** argv) {
  dragonfly::scheduler::Scheduler scheduler;
  return dragonfly::common::program::Run(scheduler, argc, argv);
}
