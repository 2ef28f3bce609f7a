#pragma once

#include <string_view>
#include <vector>

#include "manager/rest/resource.h"
#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// Creating, reading, changing and deleting rows of any Resource: the one copy of it.
//
// POST writes what it is given and defaults for the rest. PATCH writes what is there: a key with
// false, 0 or "" is written, a key that is missing or null is not (the original takes the former
// for the latter). Both answer the row as it is then. A list is filtered by equality, in pages; a
// row that cannot be shown whole never breaks it. DELETE removes for good and answers nothing.
// Rows of others are not there for who may have his own only.
//
// The resource must outlive the handler.
CallHandler CreateRow(const Resource& resource);
CallHandler ListRows(const Resource& resource);
CallHandler GetRow(const Resource& resource);
CallHandler UpdateRow(const Resource& resource);
CallHandler DeleteRow(const Resource& resource);

// What the document says of them.
Operation CreateOperation(const Resource& resource);
Operation ListOperation(const Resource& resource);
Operation GetOperation(const Resource& resource);
Operation UpdateOperation(const Resource& resource);
Operation DeleteOperation(const Resource& resource);

// The objects of rows, with what is embedded in them.
absl::Status WriteRows(const Resource& resource, const Call& call, std::vector<Row> rows,
                       JsonWriter& out);
// One row as an answer.
absl::StatusOr<Answer> ShowRow(const Resource& resource, const Call& call, Row row);
// The row of ":id" that the caller may have; NOT_FOUND.
absl::StatusOr<Row> LoadRow(const Resource& resource, store::Executor& store, const Call& call,
                            int64_t id);
// INVALID_ARGUMENT naming `field` when the table has no row of this id.
absl::Status CheckReference(store::Executor& session, const store::models::TableShape& table,
                            std::string_view field, int64_t id);

}  // namespace dragonfly::manager::rest
