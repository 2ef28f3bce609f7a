#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/store/executor.h"
#include "manager/store/models/schema.h"

namespace dragonfly::manager::store {

enum class Comparison { kEqual, kNotEqual, kLess, kAtMost, kGreater, kAtLeast, kAnyOf };

// One page of a list; the first is number 1.
struct Page {
  uint64_t number = 1;
  uint64_t size = 10;
};
inline constexpr uint64_t kMaxPageSize = 10'000'000;
inline constexpr size_t kMaxAnyOf = 1000;

// The statements of Repository, once for all tables: it knows columns by their place, and rows as
// values in the order of the columns. All text of a statement comes from the table's shape, all
// values are parameters.
class TableAccess {
 public:
  struct Predicate {
    size_t column = 0;
    Comparison comparison = Comparison::kEqual;
    std::vector<sql::Value> values;  // one; any number up to kMaxAnyOf for kAnyOf
  };
  struct Ordering {
    size_t column = 0;
    bool descending = false;
  };
  using Row = std::vector<sql::Value>;
  struct Rows {
    std::vector<Row> rows;
    uint64_t total = 0;  // of all pages
  };

  // Both must outlive it.
  TableAccess(Executor& executor, const models::TableShape& shape)
      : executor_(executor), shape_(shape) {}

  absl::StatusOr<Row> Insert(Row row);
  absl::StatusOr<Row> FindOne(const std::vector<Predicate>& where);
  absl::StatusOr<Rows> List(const std::vector<Predicate>& where, Page page,
                            const std::vector<Ordering>& order);
  absl::StatusOr<Row> Update(int64_t id, const Row& row, const std::vector<size_t>& changed);
  absl::StatusOr<uint64_t> UpdateWhere(const std::vector<Predicate>& where, const Row& row,
                                       const std::vector<size_t>& changed);
  absl::StatusOr<Row> Upsert(Row row, std::string_view key, const std::vector<size_t>& changed);
  absl::Status Delete(int64_t id);
  absl::StatusOr<uint64_t> DeleteWhere(const std::vector<Predicate>& where, uint64_t limit);

 private:
  struct Clause {
    std::string text;  // with its leading space
    std::vector<sql::Value> parameters;
  };
  absl::StatusOr<Clause> Where(const std::vector<Predicate>& where) const;
  std::string ColumnList() const;
  // Stamps the row and says whether its values fit.
  absl::Status Prepare(Row& row) const;
  // " SET ..." for `changed` and updated_at.
  absl::StatusOr<Clause> Set(const Row& row, const std::vector<size_t>& changed) const;
  // "INSERT INTO ..." for every column but an id of 0.
  Clause InsertOf(const Row& row) const;
  absl::StatusOr<Row> SelectOne(sql::Connection& connection, const Clause& where) const;
  absl::Status DeleteIds(sql::Connection& connection, const std::vector<sql::Value>& ids,
                         uint64_t& deleted) const;
  absl::Status Context(const absl::Status& status, std::string_view doing) const;
  absl::Status NotFound() const;

  Executor& executor_;
  const models::TableShape& shape_;
};

}  // namespace dragonfly::manager::store
