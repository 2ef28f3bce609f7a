#include "common/program/log_keys.h"

namespace dragonfly::common::program {

void AddLogKeys(config::Schema& schema, LogConfig& config) {
  schema.Flag("console", &config.console, "log to stdout instead of files");
  schema.Text("server.logDir", &config.dir, "folder of the log files");
  schema.Choice("server.logLevel", &config.level,
                {"debug", "info", "warn", "error", "panic", "fatal"}, "least level that is logged");
  schema.Number<uint32_t>("server.logMaxSize", &config.max_size_mib, 1, 1U << 20,
                          "size of a log file in MiB at which a new one begins");
  schema.Number<uint32_t>("server.logMaxBackups", &config.max_backups, 1, 1000,
                          "log files that are kept");
}

absl::StatusOr<log::Options> LogOptionsOf(const LogConfig& config) {
  log::Options options;
  options.directory = config.dir;
  options.console = config.console;
  options.max_file_bytes = size_t{config.max_size_mib} << 20;
  options.max_files = config.max_backups;
  // Upstream's two levels above error; nothing of ours is logged there.
  const bool severe = config.level == "panic" || config.level == "fatal";
  absl::Status parsed = log::ParseLevel(severe ? "error" : config.level, &options.level);
  if (!parsed.ok()) return parsed;
  return options;
}

}  // namespace dragonfly::common::program
