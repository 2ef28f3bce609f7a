#include "common/program/program.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include <CLI/CLI.hpp>

#include "absl/synchronization/mutex.h"
#include "common/program/signals.h"
#include "common/status/strings.h"
#include "common/version/version.h"

namespace dragonfly::common::program {
namespace {

constexpr absl::Duration kGrace = absl::Seconds(10);
constexpr absl::Duration kPatience = absl::Seconds(30);

// A connection each for thousands of nodes.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

struct Arguments {
  std::string config;
  bool config_was_named = false;
  bool console = false;
  bool strict = false;
  bool print_config = false;
};

// 0: go on. Otherwise the process has been told all and ends with `code` (0 after --help).
struct Parsed {
  bool go_on = false;
  int code = 0;
};

CLI::Option* AddOption(CLI::App& cli, const Option& option) {
  if (bool* const* flag = std::get_if<bool*>(&option.value)) {
    return cli.add_flag(option.names, **flag, option.help);
  }
  if (size_t* const* number = std::get_if<size_t*>(&option.value)) {
    return cli.add_option(option.names, **number, option.help);
  }
  CLI::Option* text =
      cli.add_option(option.names, *std::get<std::string*>(option.value), option.help);
  if (!option.choices.empty()) text->check(CLI::IsMember(option.choices));
  return text;
}

Parsed Parse(const Service::About& about, const std::vector<Option>& options, int argc, char** argv,
             Arguments& out) {
  CLI::App cli(about.name + ": " + about.what, about.name);
  out.config = about.default_config;
  CLI::Option* config = cli.add_option("-c,--config", out.config, "configuration file")
                            ->envname(about.variable_prefix + "_CONFIG");
  for (const Option& option : options) {
    CLI::Option* added = AddOption(cli, option);
    if (!option.environment.empty()) added->envname(option.environment);
  }
  cli.add_flag("--console", out.console, "log to stdout instead of files")
      ->envname(about.variable_prefix + "_CONSOLE");
  cli.add_flag("--strict", out.strict, "unknown keys of the configuration are errors");
  cli.add_flag("--print-config", out.print_config,
               "print the configuration that is in force and end");
  cli.set_version_flag("-V,--version", version::Line(about.name));
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {.go_on = false, .code = cli.exit(error) == 0 ? 0 : 2};
  }
  out.config_was_named = config->count() > 0;
  return {.go_on = true, .code = 0};
}

int Fail(const std::string& name, const absl::Status& status) {
  const std::string message(status::MessageOf(status));
  std::fprintf(stderr, "%s: %s\n", name.c_str(), message.c_str());
  return 1;
}

int Live(Service& service, const Service::About& about) {
  Signals signals(kPatience);
  const absl::Status started = service.Start();
  if (!started.ok()) {
    log::Error(about.name + " ends", log::kv("error", started));
    log::Shutdown();
    return Fail(about.name, started);
  }
  log::Info(about.name + " stops", log::kv("signal", signals.Await()));
  service.Shutdown(kGrace);
  log::Info(about.name + " has stopped");
  return 0;
}

}  // namespace

int Run(Service& service, int argc, char** argv) {
  // Debian's Abseil is built to look for circles of locks at each one that gRPC takes: a tenth of
  // the memory of a busy server, some of its time, and its end when it believes to have found one.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const Service::About about = service.about();
  Arguments arguments;
  const Parsed parsed = Parse(about, service.options(), argc, argv, arguments);
  if (!parsed.go_on) return parsed.code;
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();

  config::Schema schema = service.MakeSchema(arguments.strict);
  auto warnings = schema.LoadFile(arguments.config);
  const bool defaults =
      absl::IsNotFound(warnings.status()) && !arguments.config_was_named && !about.needs_config;
  if (!warnings.ok() && !defaults) return Fail(about.name, warnings.status());
  if (defaults) {
    // What the defaults lack is an error too.
    warnings = schema.Load("{}", arguments.config);
    if (!warnings.ok()) return Fail(about.name, warnings.status());
  }
  if (arguments.print_config) {
    for (const std::string& warning : *warnings)
      std::fprintf(stderr, "%s: %s\n", about.name.c_str(), warning.c_str());
    std::fputs(schema.PrintYaml().c_str(), stdout);
    return 0;
  }
  absl::StatusOr<log::Options> logging = service.LogOptions();
  if (!logging.ok()) return Fail(about.name, logging.status());
  logging->name = about.name;
  logging->console = logging->console || arguments.console;
  if (absl::Status opened = log::Init(*logging); !opened.ok()) return Fail(about.name, opened);
  log::Info(about.name + " starts", log::kv("version", version::Line(about.name)));
  if (defaults) log::Info("no configuration file; defaults", log::kv("path", arguments.config));
  for (const std::string& warning : *warnings) log::Warning(warning);
  const int code = Live(service, about);
  log::Shutdown();
  return code;
}

}  // namespace dragonfly::common::program
