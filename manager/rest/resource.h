#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "manager/rest/body.h"
#include "manager/rest/call.h"
#include "manager/rest/json_writer.h"
#include "manager/rest/shape.h"
#include "manager/store/models/joins.h"
#include "manager/store/models/table.h"
#include "manager/store/table_access.h"

namespace dragonfly::manager::rest {

// Values in the order of the columns, as the store gives them.
using Row = store::TableAccess::Row;

// Where a field may stand; several are joined by "|".
enum Use : unsigned {
  kCreate = 1U,
  kRequired = 2U,  // in a creation, and never emptied by a change
  kUpdate = 4U,
  kShow = 8U,
  kFilter = 16U,
};

// A column that is seen through the API.
struct Field {
  std::string name;
  size_t column = 0;
  Shape shape;
  unsigned use = 0;
};

// A row on its way into the database, inside the transaction that writes it.
struct Writing {
  Call& call;
  store::Executor& session;
  const Fields& fields;
  Row& row;
  std::vector<size_t>& changed;  // columns that a change writes
  bool creating = false;
};

// One kind of row of the API: which columns are seen under which name, what may be written, what
// else has to be true. The rest (crud.h) is the same for all. Immutable once it is made.
struct Resource {
  // Beside the columns in an answer: rows of other tables.
  struct Embed {
    enum class Kind : uint8_t {
      kNull,    // that the original has and never fills
      kParent,  // the row whose id is in `column`
      kLinked   // rows that are linked, as an array
    } kind = Kind::kNull;
    std::string name;
    const Resource& (*of)() = nullptr;
    size_t column = 0;
    store::models::Join join = {};
    bool left = true;  // our id is the left one of the join
  };

  std::string object;    // "schedulers": its segment and the object of its rules
  std::string singular;  // "scheduler"
  const store::models::TableShape* table = nullptr;
  Row defaults;  // of what a creation does not say
  std::vector<Field> fields;
  std::vector<Embed> embeds;
  // Accepted beside the columns; `written` does something with them.
  std::vector<Member> extra_create;
  std::vector<Member> extra_update;
  size_t owner_column = 0;  // of the user that a row belongs to, with `owned`
  bool owned = false;
  bool newest_first = false;
  bool feeds_clusters = false;  // what schedulers and peers are told comes from it

  // Each may be empty. Before a row is written, and after, when it has its id.
  std::function<absl::Status(Writing&)> prepare;
  std::function<absl::Status(Writing&)> written;
  // After a row was written for good: what is kept of it elsewhere is dropped.
  std::function<void(Services&, const Row&)> committed;
  // Whether a row may go.
  std::function<absl::Status(store::Executor& session, int64_t id)> check_delete;
  // What the caller may not see is taken out of a row that was read.
  std::function<void(const Call&, Row&)> conceal;

  const Field* FieldOf(std::string_view name) const;
  std::vector<Member> CreateMembers() const;
  std::vector<Member> UpdateMembers() const;
  std::vector<Member> FilterMembers() const;
  Shape AnswerShape() const;
};

// Makes a Resource of a struct of manager/store: members name the columns, limits of texts come
// from them.
template <typename T>
class ResourceOf {
 public:
  ResourceOf(std::string object, std::string singular) {
    resource_.object = std::move(object);
    resource_.singular = std::move(singular);
    resource_.table = &Table().shape();
    resource_.defaults = Table().ValuesOf(T());
  }
  // The name in JSON is the column's.
  ResourceOf& Field(store::models::Member<T> member, Shape shape, unsigned use) {
    const size_t column = Table().ColumnOf(member);
    const store::models::ColumnShape& its = resource_.table->columns.at(column);
    if (shape.type == Shape::Type::kText && shape.max == Shape::kNoLimit && its.max_characters > 0)
      shape.max = static_cast<int64_t>(its.max_characters);
    resource_.fields.push_back({its.name, column, std::move(shape), use});
    return *this;
  }
  ResourceOf& Null(std::string name) {
    Resource::Embed embed;
    embed.name = std::move(name);
    resource_.embeds.push_back(std::move(embed));
    return *this;
  }
  ResourceOf& Parent(std::string name, const Resource& (*of)(), store::models::Member<T> member) {
    Resource::Embed embed;
    embed.kind = Resource::Embed::Kind::kParent;
    embed.name = std::move(name);
    embed.of = of;
    embed.column = Table().ColumnOf(member);
    resource_.embeds.push_back(std::move(embed));
    return *this;
  }
  ResourceOf& Linked(std::string name, const Resource& (*of)(), store::models::Join join,
                     bool left) {
    Resource::Embed embed;
    embed.kind = Resource::Embed::Kind::kLinked;
    embed.name = std::move(name);
    embed.of = of;
    embed.join = join;
    embed.left = left;
    resource_.embeds.push_back(std::move(embed));
    return *this;
  }
  ResourceOf& OwnedBy(store::models::Member<T> member) {
    resource_.owned = true;
    resource_.owner_column = Table().ColumnOf(member);
    return *this;
  }
  Resource& resource() { return resource_; }

 private:
  static const store::models::Table<T>& Table() { return store::models::TableOf<T>(); }
  Resource resource_;
};

// Values of rows. A column that has something else reads as nothing.
std::string TextAt(const Row& row, size_t column);
int64_t IntegerAt(const Row& row, size_t column);

// A row as JSON: id, the stamps and is_del, then its fields, without what is embedded.
void WriteFields(const Resource& resource, const Row& row, JsonWriter& out);

}  // namespace dragonfly::manager::rest
