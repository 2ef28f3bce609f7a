#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/value.h"

namespace dragonfly::common::config {

// A configuration file as a table: each row binds a key path to a member of a struct, whose value
// at the time is the default. The table reads files, prints what is in force and writes the
// reference page.
//
//   Schema schema;
//   schema.Number("download.concurrentPieceCount", &config.concurrent_piece_count, 1, 1024,
//                 "pieces fetched at once for one task");
//   absl::StatusOr<Warnings> loaded = schema.LoadFile(path);
//
// Errors name file, line, key path, value and what would be right; after an error the members are
// of no use (load into a fresh struct). A key that nobody knows is a warning with the nearest known
// one (an error when strict).
//
// Threading: one thread at a time. The members must outlive the schema.
class Schema {
 public:
  using Warnings = std::vector<std::string>;

  struct Options {
    bool strict = false;       // unknown keys are errors
    bool ignore_case = false;  // of keys
  };
  Schema() = default;
  explicit Schema(Options options) : options_(options) {}

  // `reload`: the rows that follow may change while the process runs (SIGHUP); off at first.
  void Reloadable(bool reload) { reloadable_ = reload; }

  void Flag(std::string key, bool* member, std::string doc);
  void Text(std::string key, std::string* member, std::string doc);
  // One of `choices`.
  void Choice(std::string key, std::string* member, std::vector<std::string> choices,
              std::string doc);
  // An IP literal, or empty.
  void Ip(std::string key, std::string* member, std::string doc);
  void Port(std::string key, uint16_t* member,
            std::string doc);  // 0 to 65535; 0: the kernel chooses
  template <std::integral T>
  void Number(std::string key, T* member, T min, T max, std::string doc) {
    Add(
        std::move(key), "number", std::move(doc),
        [member, min, max](const Value& value) { return SetInteger(value, member, min, max); },
        [member] { return std::to_string(*member); });
  }
  template <std::integral T>
  void Number(std::string key, std::optional<T>* member, T min, T max, std::string doc) {
    Add(
        std::move(key), "number", std::move(doc),
        [member, min, max](const Value& value) {
          T number{};
          absl::Status set = SetInteger(value, &number, min, max);
          if (set.ok()) *member = number;
          return set;
        },
        [member] { return member->has_value() ? std::to_string(**member) : std::string(); });
  }
  void Real(std::string key, double* member, double min, double max, std::string doc);
  // "30s", "1h 5m", "720h"; not negative.
  void Duration(std::string key, absl::Duration* member, absl::Duration min, std::string doc);
  // Bytes: "64MiB", "50GB", 4096.
  void Size(std::string key, uint64_t* member, std::string doc);
  // Octal digits.
  void Mode(std::string key, uint32_t* member, std::string doc);
  void TextList(std::string key, std::vector<std::string>* member, std::string doc);
  void TextMap(std::string key, std::map<std::string, std::string>* member, std::string doc);
  // Anything else: `set` gets what is in the file.
  void Custom(std::string key, std::string type, std::function<absl::Status(const Value&)> set,
              std::function<std::string()> print, std::string doc);
  // A key of upstream's that has no meaning here (yet): read over with a warning, with all below
  // it.
  void Ignored(std::string key, std::string why);
  // A key of upstream's that may not be read over, because whoever sets it relies on it: anything
  // but null, "" and collections of these is an error that says `why`.
  void Refused(std::string key, std::string why);
  // A second name for a key of this schema.
  void Alias(std::string key, std::string known_key);

  // Runs after the rows were set; an error undoes nothing but is the load's result.
  void Check(std::function<absl::Status()> check) { checks_.push_back(std::move(check)); }

  // NOT_FOUND when there is no such file.
  absl::StatusOr<Warnings> LoadFile(const std::string& path);
  absl::StatusOr<Warnings> Load(std::string_view text, std::string_view name);

  std::string PrintYaml() const;      // what is in force; reads back as the same
  std::string PrintMarkdown() const;  // the reference page: key, type, default, meaning

 private:
  struct Row {
    std::string key;
    std::string type;
    std::string doc;
    bool reloadable = false;
    bool ignored = false;
    std::function<absl::Status(const Value&)> set;
    std::function<std::string()> print;
    std::string default_text;
  };
  struct Found {
    const Row* row;
    const Value* value;
    std::string key;  // as the user wrote it
  };

  void Add(std::string key, std::string type, std::string doc,
           std::function<absl::Status(const Value&)> set, std::function<std::string()> print);
  absl::Status Walk(const Value& map, const std::string& prefix, std::string_view name,
                    std::vector<Found>& found, Warnings& warnings) const;
  const Row* FindRow(std::string_view key) const;
  bool IsSection(std::string_view key) const;
  bool Same(std::string_view a, std::string_view b) const;

  template <std::integral T>
  static absl::Status SetInteger(const Value& value, T* member, T min, T max) {
    int64_t number = 0;
    // Every bound in use fits: counts, ports, percentages.
    absl::Status set =
        ReadInteger(value, static_cast<int64_t>(min), static_cast<int64_t>(max), &number);
    if (set.ok()) *member = static_cast<T>(number);
    return set;
  }
  static absl::Status ReadInteger(const Value& value, int64_t min, int64_t max, int64_t* number);

  Options options_;
  bool reloadable_ = false;
  std::vector<Row> rows_;
  std::map<std::string, std::string> aliases_;
  std::vector<std::function<absl::Status()>> checks_;
};

}  // namespace dragonfly::common::config
