#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/store/executor.h"
#include "manager/store/models/table.h"
#include "manager/store/table_access.h"

namespace dragonfly::manager::store {

// What a row must be like; several are joined by "and". Text compares by the collation of the
// database (MySQL: usually without regard to case). A member that is NULL is neither equal nor
// unequal to a value.
template <typename Row>
class Condition {
 public:
  // `Owner` is Row or its base; the value has the member's type, so that a literal text is no bool.
  template <typename V, typename Owner>
  using Of = std::enable_if_t<std::is_base_of_v<Owner, Row>, std::type_identity_t<V>>;

  // With std::nullopt: IS NULL.
  template <typename V, typename Owner>
  static Condition Equal(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kEqual, value);
  }
  template <typename V, typename Owner>
  static Condition NotEqual(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kNotEqual, value);
  }
  template <typename V, typename Owner>
  static Condition Less(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kLess, value);
  }
  template <typename V, typename Owner>
  static Condition AtMost(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kAtMost, value);
  }
  template <typename V, typename Owner>
  static Condition Greater(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kGreater, value);
  }
  template <typename V, typename Owner>
  static Condition AtLeast(V Owner::*member, const Of<V, Owner>& value) {
    return One(member, Comparison::kAtLeast, value);
  }
  // One of at most kMaxAnyOf; of none: no row.
  template <typename V, typename Owner>
  static Condition AnyOf(V Owner::*member, const std::vector<Of<V, Owner>>& values) {
    Condition condition(member, Comparison::kAnyOf);
    for (const V& value : values) condition.Add(value);
    return condition;
  }

  const TableAccess::Predicate& predicate() const { return predicate_; }

 private:
  Condition(models::Member<Row> member, Comparison comparison)
      : predicate_{models::TableOf<Row>().ColumnOf(member), comparison, {}} {}
  template <typename V>
  static Condition One(models::Member<Row> member, Comparison comparison, const V& value) {
    Condition condition(member, comparison);
    condition.Add(value);
    return condition;
  }
  template <typename V>
  void Add(const V& value) {
    const models::ColumnShape& column =
        models::TableOf<Row>().shape().columns.at(predicate_.column);
    predicate_.values.push_back(models::ToValue(value, column.type));
  }

  TableAccess::Predicate predicate_;
};

template <typename Row>
struct Order {
  models::Member<Row> member;
  bool descending = false;
};

template <typename Row>
struct ListOf {
  std::vector<Row> rows;
  uint64_t total = 0;  // rows of all pages; of a moment before, when somebody writes
};

// The rows of one table. A small value: make one where it is needed, over the Store (each call a
// transaction of its own) or over the Session of a transaction.
//
// Errors: INVALID_ARGUMENT (a value that does not fit its column, with names of both),
// ALREADY_EXISTS (a unique key), NOT_FOUND, and what Executor says when the database is away or
// busy. Threading: as its executor; calls block.
template <typename Row>
class Repository {
 public:
  using Conditions = std::vector<Condition<Row>>;
  using Members = std::vector<models::Member<Row>>;

  // `executor` must outlive it.
  explicit Repository(Executor& executor) : access_(executor, Shape()) {}

  // The row as it is kept: with its id (made if it is 0), created_at (set if it is not) and
  // updated_at.
  absl::StatusOr<Row> Insert(const Row& row) {
    return RowOf(access_.Insert(models::TableOf<Row>().ValuesOf(row)));
  }
  absl::StatusOr<Row> Get(int64_t id) {
    return RowOf(access_.FindOne({{0, Comparison::kEqual, {id}}}));
  }
  // The one with the lowest id.
  absl::StatusOr<Row> FindOne(const Conditions& where) {
    return RowOf(access_.FindOne(PredicatesOf(where)));
  }
  // In the given order, then by id; a page beyond the end is empty.
  absl::StatusOr<ListOf<Row>> List(const Conditions& where, Page page,
                                   const std::vector<Order<Row>>& order = {}) {
    std::vector<TableAccess::Ordering> orderings;
    for (const Order<Row>& each : order)
      orderings.push_back({models::TableOf<Row>().ColumnOf(each.member), each.descending});
    absl::StatusOr<TableAccess::Rows> found = access_.List(PredicatesOf(where), page, orderings);
    if (!found.ok()) return found.status();
    ListOf<Row> list;
    list.total = found->total;
    list.rows.reserve(found->rows.size());
    for (const TableAccess::Row& values : found->rows) {
      absl::StatusOr<Row> row = models::TableOf<Row>().RowOf(values);
      if (!row.ok()) return row.status();
      list.rows.push_back(*std::move(row));
    }
    return list;
  }
  // Writes these members of `values`, and nothing else; returns the row as it is then.
  absl::StatusOr<Row> Update(int64_t id, const Row& values, const Members& changed) {
    return RowOf(access_.Update(id, models::TableOf<Row>().ValuesOf(values), ColumnsOf(changed)));
  }
  // The same for every row that fits; how many did. One statement: with the old state among the
  // conditions, of several callers only one finds it.
  absl::StatusOr<uint64_t> UpdateWhere(const Conditions& where, const Row& values,
                                       const Members& changed) {
    return access_.UpdateWhere(PredicatesOf(where), models::TableOf<Row>().ValuesOf(values),
                               ColumnsOf(changed));
  }
  // Inserts the row, or writes `changed` to the one that has the same unique key, given by its
  // name: the only unique key of the table. Returns the row as it is then.
  absl::StatusOr<Row> Upsert(const Row& row, std::string_view key, const Members& changed) {
    return RowOf(access_.Upsert(models::TableOf<Row>().ValuesOf(row), key, ColumnsOf(changed)));
  }
  // With the rows of joins that name it.
  absl::Status Delete(int64_t id) { return access_.Delete(id); }
  // At most `limit` of them, the lowest ids first, in one transaction; how many.
  absl::StatusOr<uint64_t> DeleteWhere(const Conditions& where, uint64_t limit) {
    return access_.DeleteWhere(PredicatesOf(where), limit);
  }

 private:
  static const models::TableShape& Shape() { return models::TableOf<Row>().shape(); }
  static std::vector<TableAccess::Predicate> PredicatesOf(const Conditions& where) {
    std::vector<TableAccess::Predicate> predicates;
    for (const Condition<Row>& condition : where) predicates.push_back(condition.predicate());
    return predicates;
  }
  static std::vector<size_t> ColumnsOf(const Members& members) {
    std::vector<size_t> columns;
    for (const models::Member<Row>& member : members)
      columns.push_back(models::TableOf<Row>().ColumnOf(member));
    return columns;
  }
  static absl::StatusOr<Row> RowOf(const absl::StatusOr<TableAccess::Row>& values) {
    if (!values.ok()) return values.status();
    return models::TableOf<Row>().RowOf(*values);
  }

  TableAccess access_;
};

}  // namespace dragonfly::manager::store
