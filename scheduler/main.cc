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

class Scheduler final : public common::program::Service {
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
  absl::Status Start() override {
    auto started = app::Application::Start(config_, dynconfig_, strict_);
    if (!started.ok()) return started.status();
    application_ = *std::move(started);
    return absl::OkStatus();
  }
  void Shutdown(absl::Duration grace) override {
    application_->Shutdown(grace);
    application_ = nullptr;
  }

 private:
  app::Config config_;
  std::string dynconfig_ = "/etc/dragonfly/dynconfig.yaml";
  bool strict_ = false;
  std::unique_ptr<app::Application> application_;
};

}  // namespace
}  // namespace dragonfly::scheduler

int main(int argc, char** argv) {
  dragonfly::scheduler::Scheduler scheduler;
  return dragonfly::common::program::Run(scheduler, argc, argv);
}
