// The scheduler: reads its configuration, runs an Application until it is told to stop.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/log/log.h"
#include "common/status/strings.h"
#include "common/version/version.h"
#include "scheduler/app/application.h"
#include "scheduler/app/config.h"

namespace {

namespace app = dragonfly::scheduler::app;
namespace log = dragonfly::common::log;

constexpr const char* kDefaultConfig = "/etc/dragonfly/scheduler.yaml";

struct Arguments {
  std::string config = kDefaultConfig;
  std::string dynconfig = "/etc/dragonfly/dynconfig.yaml";
  bool console = false;
  bool strict = false;
  bool print_config = false;
};

int Fail(int code, const absl::Status& status) {
  const std::string message(dragonfly::common::status::MessageOf(status));
  std::fprintf(stderr, "scheduler: %s\n", message.c_str());
  return code;
}

absl::Status OpenLog(const app::Config& config, bool console) {
  log::Options options;
  options.directory = config.server.log_dir;
  options.name = "scheduler";
  options.console = console || config.console;
  options.max_file_bytes = size_t{config.server.log_max_size_mib} << 20;
  options.max_files = config.server.log_max_backups;
  // Upstream's two levels above error; nothing of ours is logged there.
  const std::string& level = config.server.log_level;
  const bool severe = level == "panic" || level == "fatal";
  absl::Status parsed = log::ParseLevel(severe ? "error" : level, &options.level);
  if (!parsed.ok()) return parsed;
  return log::Init(options);
}

// They are blocked in every thread, and taken here.
int AwaitSignal(const sigset_t& signals) {
  int number = 0;
  while (sigwait(&signals, &number) != 0) {
  }
  return number;
}

int Run(const Arguments& arguments, bool config_was_named) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGINT, SIGTERM, SIGQUIT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  app::Config config;
  dragonfly::common::config::Schema schema = app::MakeSchema(config, arguments.strict);
  auto warnings = schema.LoadFile(arguments.config);
  // Nobody needs a file for the defaults, but one that was named has to be there.
  const bool defaults = absl::IsNotFound(warnings.status()) && !config_was_named;
  if (!warnings.ok() && !defaults) return Fail(1, warnings.status());
  if (arguments.print_config) {
    for (const std::string& warning : warnings.ok() ? *warnings : std::vector<std::string>())
      std::fprintf(stderr, "scheduler: %s\n", warning.c_str());
    std::fputs(schema.PrintYaml().c_str(), stdout);
    return 0;
  }
  absl::Status opened = OpenLog(config, arguments.console);
  if (!opened.ok()) return Fail(1, opened);
  log::Info("scheduler starts", log::kv("version", dragonfly::common::version::Line("scheduler")));
  if (defaults) log::Info("no configuration file; defaults", log::kv("path", arguments.config));
  if (warnings.ok()) {
    for (const std::string& warning : *warnings) log::Warning(warning);
  }

  auto application = app::Application::Start(config, arguments.dynconfig, arguments.strict);
  if (!application.ok()) {
    log::Error("scheduler ends", log::kv("error", application.status()));
    return Fail(1, application.status());
  }
  log::Info("scheduler stops", log::kv("signal", AwaitSignal(signals)));
  // A second signal does not wait.
  for (int number : {SIGINT, SIGTERM, SIGQUIT}) {
    std::signal(number, [](int signal) { std::_Exit(128 + signal); });
  }
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*application)->Shutdown(absl::Seconds(10));
  log::Info("scheduler has stopped");
  log::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App cli("scheduler: tells peers whom to download from", "scheduler");
  CLI::Option* config = cli.add_option("-c,--config", arguments.config, "configuration file")
                            ->envname("SCHEDULER_CONFIG");
  cli.add_option("--dynconfig", arguments.dynconfig,
                 "settings of the cluster; created with defaults if missing");
  cli.add_flag("--console", arguments.console, "log to stdout instead of files");
  cli.add_flag("--strict", arguments.strict, "unknown keys of the configuration are errors");
  cli.add_flag("--print-config", arguments.print_config,
               "print the configuration that is in force and end");
  cli.set_version_flag("-V,--version", dragonfly::common::version::Line("scheduler"));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = cli.exit(error);
    return code == 0 ? 0 : 2;
  }
  return Run(arguments, config->count() > 0);
}
