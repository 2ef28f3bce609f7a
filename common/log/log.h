#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace dragonfly::common::log {

// Log lines are an event and fields: log::Info("task finished", kv("task", id), kv("bytes", n))
// prints
//
//   2026-11-21T10:00:00.123Z INFO task finished task=3f5c... bytes=1048576
//
// Values are escaped, so that nobody can write lines of his own, and secrets are taken out: the
// values of keys that name one, passwords and signatures in URLs, credentials in header text.
//
// Threading: any thread. Before Init and after Shutdown lines go to stderr.

enum class Level : int { kDebug = 0, kInfo, kWarning, kError, kOff };

// "debug", "info", "warn" or "warning", "error", "off"; INVALID_ARGUMENT naming them.
absl::Status ParseLevel(std::string_view text, Level* level);

struct Options {
  // Where <name>.log and its predecessors <name>.1.log, ... are. Created 0750; files are 0640.
  std::string directory;
  std::string name;
  bool console = false;  // stdout instead of files
  Level level = Level::kInfo;
  size_t max_file_bytes = size_t{1} << 30;
  size_t max_files = 6;
};

// Opens the log. An error names the folder or file and leaves things as they were.
absl::Status Init(const Options& options);
// Flushes and goes back to stderr.
void Shutdown();

void SetLevel(Level level);
bool Enabled(Level level);

struct Field {
  std::string_view key;
  std::string value;
};

inline Field kv(std::string_view key, std::string_view value) { return {key, std::string(value)}; }
inline Field kv(std::string_view key, const std::string& value) { return {key, value}; }
inline Field kv(std::string_view key, const char* value) { return {key, value}; }
// Debian's Abseil has a view of its own.
template <std::same_as<absl::string_view> T>
  requires(!std::same_as<absl::string_view, std::string_view>)
Field kv(std::string_view key, T value) {
  return {key, std::string(value.data(), value.size())};
}
inline Field kv(std::string_view key, bool value) { return {key, value ? "true" : "false"}; }
template <std::integral T>
  requires(!std::same_as<T, bool>)
Field kv(std::string_view key, T value) {
  return {key, std::to_string(value)};
}
Field kv(std::string_view key, double value);
Field kv(std::string_view key, absl::Duration value);
Field kv(std::string_view key, const absl::Status& value);

void Write(Level level, std::string_view event, std::initializer_list<Field> fields);

template <typename... Fields>
void Debug(std::string_view event, Fields&&... fields) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, event, {std::forward<Fields>(fields)...});
}
template <typename... Fields>
void Info(std::string_view event, Fields&&... fields) {
  if (Enabled(Level::kInfo)) Write(Level::kInfo, event, {std::forward<Fields>(fields)...});
}
template <typename... Fields>
void Warning(std::string_view event, Fields&&... fields) {
  if (Enabled(Level::kWarning)) Write(Level::kWarning, event, {std::forward<Fields>(fields)...});
}
template <typename... Fields>
void Error(std::string_view event, Fields&&... fields) {
  if (Enabled(Level::kError)) Write(Level::kError, event, {std::forward<Fields>(fields)...});
}

// For what may happen often: true at most once a minute for each `cause` (a short text of ours with
// the source of the trouble, "parent unreachable 10.0.0.7"). `suppressed` gets how many were left
// out since the last time. At most 1024 causes are remembered; the oldest is forgotten.
bool OncePerMinute(std::string_view cause, uint64_t* suppressed = nullptr);

}  // namespace dragonfly::common::log
