#include "manager/store/settings.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/models/joins.h"

namespace dragonfly::manager::store {
namespace {

using common::status::Annotate;
using common::status::Sv;
using sql::Value;

constexpr const char* kSelect = "SELECT value FROM setting WHERE name = ?";
constexpr const char* kInsert = "INSERT INTO setting (name, value) VALUES (?, ?)";

std::string Context(std::string_view doing, std::string_view name) {
  return absl::StrCat(Sv(doing), " setting '", Sv(name), "'");
}

absl::Status Check(std::string_view name, std::string_view value) {
  const models::TableShape& shape = models::SettingShape();
  if (absl::Status fits = models::CheckValue(shape, shape.columns[0], std::string(name));
      !fits.ok()) {
    return fits;
  }
  return models::CheckValue(shape, shape.columns[1], std::string(value));
}

absl::StatusOr<std::string> Select(sql::Connection& connection, std::string_view name) {
  const std::vector<Value> parameters = {std::string(name)};
  absl::StatusOr<sql::Result> found = connection.Execute(kSelect, parameters);
  if (!found.ok()) return found.status();
  if (found->rows.empty()) {
    return common::status::MakeStatus(absl::StatusCode::kNotFound,
                                      common::status::ErrorReason::kNotFound, "there is none");
  }
  return std::get<std::string>(found->rows[0].at(0));
}

}  // namespace

absl::StatusOr<std::string> Settings::Get(std::string_view name) {
  std::string value;
  const absl::Status done = executor_.Read([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<std::string> found = Select(connection, name);
    if (found.ok()) value = *std::move(found);
    return found.status();
  });
  if (!done.ok()) return Annotate(done, Context("reading", name));
  return value;
}

absl::Status Settings::Put(std::string_view name, std::string_view value) {
  if (absl::Status fits = Check(name, value); !fits.ok()) return fits;
  const std::vector<std::string> key = {"name"};
  const std::vector<std::string> changed = {"value"};
  const std::string text =
      absl::StrCat(kInsert, executor_.dialect().OnConflictUpdate(key, changed));
  const std::vector<Value> parameters = {std::string(name), std::string(value)};
  return Annotate(executor_.Write([&](sql::Connection& connection) {
    return connection.Execute(text, parameters).status();
  }),
                  Context("writing", name));
}

absl::StatusOr<std::string> Settings::PutIfAbsent(std::string_view name, std::string_view value) {
  if (absl::Status fits = Check(name, value); !fits.ok()) return fits;
  const std::vector<std::string> key = {"name"};
  const std::string text = absl::StrCat(kInsert, executor_.dialect().OnConflictUpdate(key, {}));
  const std::vector<Value> parameters = {std::string(name), std::string(value)};
  std::string kept;
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    absl::StatusOr<sql::Result> put = connection.Execute(text, parameters);
    if (!put.ok()) return put.status();
    absl::StatusOr<std::string> found = Select(connection, name);
    if (found.ok()) kept = *std::move(found);
    return found.status();
  });
  if (!done.ok()) return Annotate(done, Context("making", name));
  return kept;
}

// Compared here and not by the database, for which texts that differ in case may be equal.
absl::StatusOr<bool> Settings::CompareAndSet(std::string_view name, std::string_view expected,
                                             std::string_view value) {
  if (absl::Status fits = Check(name, value); !fits.ok()) return fits;
  const std::vector<Value> parameters = {std::string(value), std::string(name)};
  bool swapped = false;
  const absl::Status done = executor_.Write([&](sql::Connection& connection) -> absl::Status {
    swapped = false;
    absl::StatusOr<std::string> found = Select(connection, name);
    if (absl::IsNotFound(found.status())) return absl::OkStatus();
    if (!found.ok()) return found.status();
    if (*found != expected) return absl::OkStatus();
    swapped = true;
    return connection.Execute("UPDATE setting SET value = ? WHERE name = ?", parameters).status();
  });
  if (!done.ok()) return Annotate(done, Context("changing", name));
  return swapped;
}

absl::Status Settings::Delete(std::string_view name) {
  const std::vector<Value> parameters = {std::string(name)};
  return Annotate(executor_.Write([&](sql::Connection& connection) {
    return connection.Execute("DELETE FROM setting WHERE name = ?", parameters).status();
  }),
                  Context("deleting", name));
}

}  // namespace dragonfly::manager::store
