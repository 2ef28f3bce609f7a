#include "common/log/log.h"

#include <fcntl.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log/rate_limited.h"
#include "common/log/redact.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::log {
namespace {

std::atomic<Level> g_level{Level::kInfo};

// The sink and the lock that guards which one it is. Never destroyed: lines may come from any
// thread until the very end.
struct Output {
  std::mutex mutex;
  std::shared_ptr<spdlog::sinks::sink> sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
};
Output& TheOutput() {
  static auto* output = new Output();
  output->sink->set_pattern("%v");
  return *output;
}

constexpr std::string_view kLevelNames[] = {"DEBUG", "INFO", "WARN", "ERROR"};

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

// Control characters are written as escapes: a line stays a line.
void AppendEscaped(std::string_view value, std::string& line) {
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
      line += escaped;
    } else {
      line += c;
    }
  }
}

void AppendField(const Field& field, std::string& line) {
  line += ' ';
  line += field.key;
  line += '=';
  const std::string value =
      IsSecretName(field.key) ? std::string(kRedacted) : RedactText(field.value);
  if (!NeedsQuotes(value)) {
    line += value;
    return;
  }
  line += '"';
  AppendEscaped(value, line);
  line += '"';
}

}  // namespace

absl::Status ParseLevel(std::string_view text, Level* level) {
  static constexpr std::pair<std::string_view, Level> kNames[] = {
      {"debug", Level::kDebug},  {"trace", Level::kDebug},     {"info", Level::kInfo},
      {"warn", Level::kWarning}, {"warning", Level::kWarning}, {"error", Level::kError},
      {"off", Level::kOff}};
  for (const auto& [name, value] : kNames) {
    if (text == name) {
      *level = value;
      return absl::OkStatus();
    }
  }
  return status::MakeStatus(
      absl::StatusCode::kInvalidArgument, status::ErrorReason::kInvalidArgument,
      absl::StrCat("log level '", status::Sv(text), "' is none of debug, info, warn, error, off"));
}

absl::Status Init(const Options& options) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (options.console) {
    sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  } else {
    absl::Status made = os::PosixEnv().SafeMkdir(options.directory, 0750);
    if (!made.ok()) return status::Annotate(made, "log directory");
    const std::string path = options.directory + "/" + options.name + ".log";
    spdlog::file_event_handlers handlers;
    handlers.after_open = [](const spdlog::filename_t&, std::FILE* file) {
      fchmod(fileno(file), 0640);
    };
    try {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          path, options.max_file_bytes, options.max_files, false, handlers);
    } catch (const spdlog::spdlog_ex& error) {
      return status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                status::ErrorReason::kOutputPath,
                                absl::StrCat("log file ", path, ": ", error.what()));
    }
  }
  sink->set_pattern("%v");
  Output& output = TheOutput();
  std::lock_guard lock(output.mutex);
  output.sink = std::move(sink);
  g_level = options.level;
  return absl::OkStatus();
}

void Shutdown() {
  Output& output = TheOutput();
  std::lock_guard lock(output.mutex);
  output.sink->flush();
  output.sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  output.sink->set_pattern("%v");
}

void SetLevel(Level level) { g_level = level; }

bool Enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

Field kv(std::string_view key, double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return {key, text};
}

Field kv(std::string_view key, absl::Duration value) { return {key, absl::FormatDuration(value)}; }

Field kv(std::string_view key, const absl::Status& value) {
  if (value.ok()) return {key, "ok"};
  return {key, absl::StrCat(status::Sv(status::ReasonName(status::ReasonOf(value))), ": ",
                            value.message())};
}

void Write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  line.reserve(256);
  line += ' ';
  line += kLevelNames[static_cast<int>(level)];
  line += ' ';
  AppendEscaped(event, line);
  for (const Field& field : fields) AppendField(field, line);
  std::shared_ptr<spdlog::sinks::sink> sink;
  {
    Output& output = TheOutput();
    std::lock_guard lock(output.mutex);
    sink = output.sink;
  }
  try {
    sink->log(spdlog::details::log_msg("", spdlog::level::info, line));
    sink->flush();
  } catch (const spdlog::spdlog_ex&) {
    // A full disk takes the log, not the process.
  }
}

bool OncePerMinute(std::string_view cause, uint64_t* suppressed) {
  static auto* limited = new RateLimited();
  uint64_t left_out = 0;
  const bool allowed = limited->Allow(cause, os::PosixEnv().clock().Now(), left_out);
  if (suppressed != nullptr) *suppressed = left_out;
  return allowed;
}

}  // namespace dragonfly::common::log
