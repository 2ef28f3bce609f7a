// dfdaemon: a node of the swarm. Reads its configuration, runs an Application until it is told to
// stop.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

#include "common/log/log.h"
#include "common/status/strings.h"
#include "common/version/version.h"
#include "dfdaemon/app/application.h"
#include "dfdaemon/app/config_schema.h"

namespace {

namespace app = dragonfly::dfdaemon::app;
namespace log = dragonfly::common::log;

struct Arguments {
  std::string config = "/etc/dragonfly/dfdaemon.yaml";
  std::string dynconfig = "/etc/dragonfly/dynconfig.yaml";
  std::string log_level = "info";
  std::string log_dir = "/var/log/dragonfly/dfdaemon";
  size_t log_max_files = 6;
  bool console = false;
  bool strict = false;
  bool print_config = false;
};

int Fail(int code, std::string_view what, const absl::Status& status) {
  const std::string message(status.message());
  std::fprintf(stderr, "dfdaemon: %.*s%s\n", static_cast<int>(what.size()), what.data(),
               message.c_str());
  log::Error("dfdaemon ends", log::kv("error", status));
  return code;
}

// Waits for SIGINT, SIGTERM or SIGQUIT. They are blocked in every thread, and taken here.
int AwaitSignal(const sigset_t& signals) {
  int number = 0;
  while (sigwait(&signals, &number) != 0) {
  }
  return number;
}

int Run(const Arguments& arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGINT, SIGTERM, SIGQUIT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  app::Config config;
  dragonfly::common::config::Schema schema = app::MakeSchema(config, {.strict = arguments.strict});
  absl::StatusOr<std::vector<std::string>> warnings = schema.LoadFile(arguments.config);
  if (!warnings.ok()) return Fail(1, "configuration: ", warnings.status());
  if (arguments.print_config) {
    for (const std::string& warning : *warnings)
      std::fprintf(stderr, "dfdaemon: %s\n", warning.c_str());
    std::fputs(schema.PrintYaml().c_str(), stdout);
    return 0;
  }
  log::Options logging;
  logging.directory = arguments.log_dir;
  logging.name = "dfdaemon";
  logging.console = arguments.console;
  logging.max_files = arguments.log_max_files;
  absl::Status level = log::ParseLevel(arguments.log_level, &logging.level);
  if (!level.ok()) return Fail(2, "--log-level: ", level);
  if (absl::Status opened = log::Init(logging); !opened.ok()) return Fail(1, "", opened);
  log::Info("dfdaemon starts", log::kv("version", dragonfly::common::version::Line("dfdaemon")));
  for (const std::string& warning : *warnings) log::Warning(warning);

  absl::StatusOr<std::unique_ptr<app::Application>> application =
      app::Application::Start(config, arguments.dynconfig);
  if (!application.ok()) return Fail(1, "", application.status());
  log::Info("dfdaemon stops", log::kv("signal", AwaitSignal(signals)));
  // A second signal does not wait.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGQUIT})
    std::signal(number, [](int signal) { std::_Exit(128 + signal); });
  (*application)->Shutdown(absl::Seconds(10));
  application->reset();
  log::Info("dfdaemon has stopped");
  log::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App cli("dfdaemon: fetches files from the swarm and passes them on", "dfdaemon");
  cli.add_option("-c,--config", arguments.config, "configuration file")->envname("DFDAEMON_CONFIG");
  cli.add_option("--dynconfig", arguments.dynconfig, "where the schedulers are named")
      ->envname("DFDAEMON_DYNCONFIG");
  cli.add_option("-l,--log-level", arguments.log_level, "debug, info, warn, error")
      ->envname("DFDAEMON_LOG_LEVEL");
  cli.add_option("--log-dir", arguments.log_dir, "folder of the log files")
      ->envname("DFDAEMON_LOG_DIR");
  cli.add_option("--log-max-files", arguments.log_max_files, "log files kept")
      ->envname("DFDAEMON_LOG_MAX_FILES");
  cli.add_flag("--console", arguments.console, "log to stdout instead of files")
      ->envname("DFDAEMON_CONSOLE");
  cli.add_flag("--strict", arguments.strict, "unknown keys of the configuration are errors");
  cli.add_flag("--print-config", arguments.print_config,
               "print the configuration that is in force and end");
  cli.set_version_flag("-V,--version", dragonfly::common::version::Line("dfdaemon"));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = cli.exit(error);
    return code == 0 ? 0 : 2;
  }
  return Run(arguments);
}
