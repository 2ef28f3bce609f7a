#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "manager/store/models/table.h"

namespace dragonfly::manager::store::models {

// A setting that people change while the manager runs.
struct Config : Stamped {
  std::string name;
  std::string value;
  std::string bio;
  int64_t user_id = 0;
  friend bool operator==(const Config&, const Config&) = default;
};
template <>
const Table<Config>& TableOf<Config>();

struct Application : Stamped {
  std::string name;
  std::string url;
  std::string bio;
  std::string priority = "{}";  // JSON
  int64_t user_id = 0;
  friend bool operator==(const Application&, const Application&) = default;
};
template <>
const Table<Application>& TableOf<Application>();

struct Job : Stamped {
  std::string task_id;
  std::string bio;
  std::string type;
  std::string state = "PENDING";
  std::string args = "{}";         // JSON
  std::string task_result = "{}";  // JSON; its name outside is "result"
  int64_t user_id = 0;
  friend bool operator==(const Job&, const Job&) = default;
};
template <>
const Table<Job>& TableOf<Job>();

// What somebody did through the API.
struct Audit : Stamped {
  std::string actor_type;
  std::string actor_name;
  std::string event_type;
  std::string operation;
  absl::Time operated_at = absl::InfinitePast();  // seconds
  std::string state;
  std::string path;
  int32_t status_code = 0;
  std::string detail = "{}";  // JSON
  friend bool operator==(const Audit&, const Audit&) = default;
};
template <>
const Table<Audit>& TableOf<Audit>();

}  // namespace dragonfly::manager::store::models
