#include "manager/rest/crud.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/store/joins.h"
#include "manager/store/models/values.h"

namespace dragonfly::manager::rest {
namespace {

using common::status::Invalid;
using common::status::Sv;
using store::Comparison;
using store::Joins;
using store::TableAccess;
using store::models::ColumnType;
using store::sql::Value;

Value ToSql(const FieldValue& value, ColumnType type) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  if (const auto* flag = std::get_if<bool>(&value)) return int64_t{*flag ? 1 : 0};
  if (const auto* time = std::get_if<absl::Time>(&value))
    return store::models::ToValue(*time, type);
  return std::get<JsonText>(value).text;
}

// The object of a row that is not there, as the original shows it: everything 0, "" and null.
Row EmptyRow(const Resource& resource) {
  Row row;
  for (const auto& column : resource.table->columns) {
    const bool text = column.type == ColumnType::kText || column.type == ColumnType::kLongText;
    row.push_back(text ? Value(std::string()) : Value());
  }
  return row;
}

// Writes fields into the row; which columns.
std::vector<size_t> Apply(const Resource& resource, const Fields& fields, unsigned use, Row& row) {
  std::vector<size_t> changed;
  for (const Field& field : resource.fields) {
    const FieldValue* value = (field.use & use) != 0 ? fields.Find(field.name) : nullptr;
    if (value == nullptr) continue;
    row.at(field.column) = ToSql(*value, resource.table->columns.at(field.column).type);
    changed.push_back(field.column);
  }
  return changed;
}

absl::Status Run(const std::function<absl::Status(Writing&)>& hook, Writing& writing) {
  return hook == nullptr ? absl::OkStatus() : hook(writing);
}

void TellClusters(const Resource& resource, const Services& services) {
  if (resource.feeds_clusters && services.on_cluster_change != nullptr)
    services.on_cluster_change();
}

// The value of a filter; nothing: it does not filter (as the original, for which 0 and "" do not).
absl::StatusOr<Value> FilterValue(const Field& field, std::string_view text) {
  if (field.shape.type == Shape::Type::kBoolean) {
    if (text == "true" || text == "1") return Value(int64_t{1});
    if (text == "false" || text == "0") return Value(int64_t{0});
    return Invalid(absl::StrCat(field.name, " filters by true or false"));
  }
  if (field.shape.type == Shape::Type::kInteger) {
    const auto number = common::status::ParseInteger<int64_t>(text);
    if (!number || *number < 0)
      return Invalid(absl::StrCat(field.name, " filters by a whole number, at least 0"));
    return *number == 0 ? Value() : Value(*number);
  }
  const auto& choices = field.shape.one_of;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    return Invalid(absl::StrCat(field.name, " filters by ", Describe(field.shape)));
  return Value(std::string(text));
}

absl::StatusOr<std::vector<TableAccess::Predicate>> FiltersOf(const Resource& resource,
                                                              const Call& call) {
  std::vector<TableAccess::Predicate> where;
  for (const Field& field : resource.fields) {
    const std::string_view text = call.query.Get(field.name);
    if ((field.use & kFilter) == 0 || text.empty()) continue;
    absl::StatusOr<Value> value = FilterValue(field, text);
    if (!value.ok()) return value.status();
    if (!std::holds_alternative<std::monostate>(*value))
      where.push_back({field.column, Comparison::kEqual, {*std::move(value)}});
  }
  if (call.caller.only_own && resource.owned) {
    where.push_back(
        {resource.owner_column, Comparison::kEqual, {static_cast<int64_t>(call.caller.user_id)}});
  }
  return where;
}

// Rows of a table by id, each once, however many are asked for.
absl::StatusOr<std::map<int64_t, Row>> RowsById(store::Executor& store,
                                                const store::models::TableShape& table,
                                                const std::set<int64_t>& ids) {
  std::map<int64_t, Row> rows;
  for (auto next = ids.begin(); next != ids.end();) {
    std::vector<Value> some;
    for (; next != ids.end() && some.size() < store::kMaxAnyOf; ++next) some.emplace_back(*next);
    const auto found =
        TableAccess(store, table).List({{0, Comparison::kAnyOf, some}}, {1, store::kMaxAnyOf}, {});
    if (!found.ok()) return found.status();
    for (const Row& row : found->rows) rows.emplace(IntegerAt(row, 0), row);
  }
  return rows;
}

// What is embedded into a page of rows, read at once for all of them.
struct Embedded {
  std::map<int64_t, Row> rows;
  std::multimap<int64_t, int64_t> links;  // id of ours -> id of theirs
};

absl::StatusOr<Embedded> LoadEmbedded(const Resource::Embed& embed, store::Executor& store,
                                      const std::vector<Row>& rows) {
  Embedded embedded;
  std::set<int64_t> wanted;
  if (embed.kind == Resource::Embed::Kind::kParent) {
    for (const Row& row : rows) wanted.insert(IntegerAt(row, embed.column));
  } else {
    for (size_t begin = 0; begin < rows.size(); begin += store::kMaxAnyOf) {
      std::vector<int64_t> ids;
      for (size_t i = begin; i < std::min(rows.size(), begin + store::kMaxAnyOf); ++i)
        ids.push_back(IntegerAt(rows[i], 0));
      const auto pairs =
          Joins(store).Find(embed.join, embed.left ? Joins::Side::kLeft : Joins::Side::kRight, ids);
      if (!pairs.ok()) return pairs.status();
      for (const Joins::Pair& pair : *pairs) {
        const int64_t theirs = embed.left ? pair.right : pair.left;
        embedded.links.emplace(embed.left ? pair.left : pair.right, theirs);
        wanted.insert(theirs);
      }
    }
  }
  wanted.erase(0);
  absl::StatusOr<std::map<int64_t, Row>> found = RowsById(store, *embed.of().table, wanted);
  if (!found.ok()) return found.status();
  embedded.rows = *std::move(found);
  return embedded;
}

// A row without what is embedded in itself: null, as the original leaves it.
void WriteEmbeddedRow(const Resource& resource, const Call& call, Row row, JsonWriter& out) {
  if (resource.conceal != nullptr) resource.conceal(call, row);
  out.BeginObject();
  WriteFields(resource, row, out);
  for (const Resource::Embed& embed : resource.embeds) out.Key(embed.name).Null();
  out.EndObject();
}

void WriteEmbedded(const Resource::Embed& embed, const Embedded& embedded, const Call& call,
                   const Row& row, JsonWriter& out) {
  out.Key(embed.name);
  if (embed.kind == Resource::Embed::Kind::kParent) {
    const auto found = embedded.rows.find(IntegerAt(row, embed.column));
    // The original shows an empty object for one that is not there.
    WriteEmbeddedRow(embed.of(), call,
                     found == embedded.rows.end() ? EmptyRow(embed.of()) : found->second, out);
    return;
  }
  out.BeginArray();
  const auto [begin, end] = embedded.links.equal_range(IntegerAt(row, 0));
  for (auto link = begin; link != end; ++link) {
    const auto found = embedded.rows.find(link->second);
    if (found != embedded.rows.end()) WriteEmbeddedRow(embed.of(), call, found->second, out);
  }
  out.EndArray();
}

absl::StatusOr<Answer> Create(const Resource& resource, Call& call) {
  const std::vector<Member> members = resource.CreateMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kWhole);
  if (!fields.ok()) return fields.status();
  Row row;
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        row = resource.defaults;
        std::vector<size_t> changed = Apply(resource, *fields, kCreate, row);
        Writing writing{call, session, *fields, row, changed, true};
        if (absl::Status ready = Run(resource.prepare, writing); !ready.ok()) return ready;
        absl::StatusOr<Row> made = TableAccess(session, *resource.table).Insert(row);
        if (!made.ok()) return made.status();
        row = *std::move(made);
        return Run(resource.written, writing);
      });
  if (!done.ok()) return done;
  if (resource.committed != nullptr) resource.committed(call.services, row);
  TellClusters(resource, call.services);
  return ShowRow(resource, call, std::move(row));
}

absl::StatusOr<Answer> Update(const Resource& resource, Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const std::vector<Member> members = resource.UpdateMembers();
  const absl::StatusOr<Fields> fields = ReadBody(call.request.body, members, Reading::kPatch);
  if (!fields.ok()) return fields.status();
  Row row;
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        absl::StatusOr<Row> before = LoadRow(resource, session, call, *id);
        if (!before.ok()) return before.status();
        row = *std::move(before);
        std::vector<size_t> changed = Apply(resource, *fields, kUpdate, row);
        Writing writing{call, session, *fields, row, changed, false};
        if (absl::Status ready = Run(resource.prepare, writing); !ready.ok()) return ready;
        absl::StatusOr<Row> merged =
            TableAccess(session, *resource.table).Update(*id, row, changed);
        if (!merged.ok()) return merged.status();
        row = *std::move(merged);
        return Run(resource.written, writing);
      });
  if (!done.ok()) return done;
  if (resource.committed != nullptr) resource.committed(call.services, row);
  TellClusters(resource, call.services);
  return ShowRow(resource, call, std::move(row));
}

absl::StatusOr<Answer> List(const Resource& resource, Call& call) {
  const absl::StatusOr<store::Page> page = PageOf(call.query);
  if (!page.ok()) return page.status();
  const auto where = FiltersOf(resource, call);
  if (!where.ok()) return where.status();
  std::vector<TableAccess::Ordering> order;
  if (resource.newest_first) order.push_back({1, true});
  auto found = TableAccess(call.services.store, *resource.table).List(*where, *page, order);
  if (!found.ok()) return found.status();
  JsonWriter json;
  json.BeginArray();
  const absl::Status written = WriteRows(resource, call, std::move(found->rows), json);
  if (!written.ok()) return written;
  Answer answer;
  answer.json = json.EndArray().Take();
  answer.headers.emplace_back("Link",
                              LinkHeader(call.request.path, call.query, *page, found->total));
  return answer;
}

absl::StatusOr<Answer> Get(const Resource& resource, Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  absl::StatusOr<Row> row = LoadRow(resource, call.services.store, call, *id);
  if (!row.ok()) return row.status();
  return ShowRow(resource, call, *std::move(row));
}

absl::StatusOr<Answer> Delete(const Resource& resource, Call& call) {
  const absl::StatusOr<int64_t> id = call.PathId();
  if (!id.ok()) return id.status();
  const absl::Status done =
      call.services.store.RunInTransaction([&](store::Session& session) -> absl::Status {
        const absl::StatusOr<Row> row = LoadRow(resource, session, call, *id);
        if (!row.ok()) return row.status();
        if (resource.check_delete != nullptr) {
          if (absl::Status may = resource.check_delete(session, *id); !may.ok()) return may;
        }
        return TableAccess(session, *resource.table).Delete(*id);
      });
  if (!done.ok()) return done;
  TellClusters(resource, call.services);
  return Answer();
}

template <typename Handle>
CallHandler With(const Resource& resource, Handle handle) {
  return [&resource, handle](Call& call) { return handle(resource, call); };
}

std::string WithArticle(const std::string& noun) {
  const bool vowel = std::string_view("aeio").find(noun.at(0)) != std::string_view::npos;
  return (vowel ? "an " : "a ") + noun;
}

}  // namespace

absl::Status WriteRows(const Resource& resource, const Call& call, std::vector<Row> rows,
                       JsonWriter& out) {
  std::vector<Embedded> embedded(resource.embeds.size());
  for (size_t i = 0; i < embedded.size(); ++i) {
    if (resource.embeds[i].kind == Resource::Embed::Kind::kNull) continue;
    absl::StatusOr<Embedded> loaded = LoadEmbedded(resource.embeds[i], call.services.store, rows);
    if (!loaded.ok()) return loaded.status();
    embedded[i] = *std::move(loaded);
  }
  for (Row& row : rows) {
    if (resource.conceal != nullptr) resource.conceal(call, row);
    out.BeginObject();
    WriteFields(resource, row, out);
    for (size_t i = 0; i < embedded.size(); ++i) {
      const Resource::Embed& embed = resource.embeds[i];
      if (embed.kind == Resource::Embed::Kind::kNull) {
        out.Key(embed.name).Null();
      } else {
        WriteEmbedded(embed, embedded[i], call, row, out);
      }
    }
    out.EndObject();
  }
  return absl::OkStatus();
}

absl::StatusOr<Answer> ShowRow(const Resource& resource, const Call& call, Row row) {
  JsonWriter json;
  std::vector<Row> rows;
  rows.push_back(std::move(row));
  const absl::Status written = WriteRows(resource, call, std::move(rows), json);
  if (!written.ok()) return written;
  Answer answer;
  answer.json = json.Take();
  return answer;
}

absl::StatusOr<Row> LoadRow(const Resource& resource, store::Executor& store, const Call& call,
                            int64_t id) {
  absl::StatusOr<Row> row =
      TableAccess(store, *resource.table).FindOne({{0, Comparison::kEqual, {id}}});
  if (!row.ok()) return row;
  if (call.caller.only_own && resource.owned &&
      IntegerAt(*row, resource.owner_column) != static_cast<int64_t>(call.caller.user_id)) {
    return Denied(absl::StrCat("only root may use the ", resource.object, " of others"));
  }
  return row;
}

absl::Status CheckReference(store::Executor& session, const store::models::TableShape& table,
                            std::string_view field, int64_t id) {
  const absl::Status found =
      TableAccess(session, table).FindOne({{0, Comparison::kEqual, {id}}}).status();
  if (!absl::IsNotFound(found)) return found;
  return Invalid(absl::StrCat(Sv(field), " is ", id, "; there is no ", table.name, " of this id"));
}

CallHandler CreateRow(const Resource& resource) { return With(resource, Create); }
CallHandler ListRows(const Resource& resource) { return With(resource, List); }
CallHandler GetRow(const Resource& resource) { return With(resource, Get); }
CallHandler UpdateRow(const Resource& resource) { return With(resource, Update); }
CallHandler DeleteRow(const Resource& resource) { return With(resource, Delete); }

Operation CreateOperation(const Resource& resource) {
  Operation operation;
  operation.summary = "makes " + WithArticle(resource.singular);
  operation.body = resource.CreateMembers();
  operation.answer = resource.AnswerShape();
  return operation;
}

Operation ListOperation(const Resource& resource) {
  Operation operation;
  operation.summary =
      "lists the " + resource.singular + "s" + (resource.newest_first ? ", the newest first" : "");
  operation.query = resource.FilterMembers();
  operation.answer = ArrayOf(resource.AnswerShape(), Shape::kNoLimit);
  operation.pages = true;
  return operation;
}

Operation GetOperation(const Resource& resource) {
  Operation operation;
  operation.summary = "shows " + WithArticle(resource.singular);
  operation.answer = resource.AnswerShape();
  return operation;
}

Operation UpdateOperation(const Resource& resource) {
  Operation operation;
  operation.summary = "changes what is sent of " + WithArticle(resource.singular);
  operation.body = resource.UpdateMembers();
  operation.answer = resource.AnswerShape();
  return operation;
}

Operation DeleteOperation(const Resource& resource) {
  Operation operation;
  operation.summary = "deletes " + WithArticle(resource.singular);
  return operation;
}

}  // namespace dragonfly::manager::rest
