#include "manager/rest/resource.h"

#include <utility>

#include "common/log/log.h"
#include "manager/store/models/values.h"

namespace dragonfly::manager::rest {
namespace {

using common::log::kv;
using store::models::ColumnType;
using store::sql::Value;

void WriteTime(const Value& value, JsonWriter& out) {
  absl::Time time = absl::InfinitePast();
  store::models::FromValue(value, time);
  out.Time(time);
}

void WriteJson(const Resource& resource, const Field& field, const Row& row, JsonWriter& out) {
  const std::string text = TextAt(row, field.column);
  std::string json;
  if (Compact(text, json)) {
    out.Raw(json);
    return;
  }
  // A row that somebody has broken must not take its neighbours along.
  if (!text.empty()) {
    common::log::Warning("rest: a column is not JSON; null is shown",
                         kv("table", resource.table->name), kv("column", field.name),
                         kv("id", IntegerAt(row, 0)));
  }
  out.Null();
}

void WriteField(const Resource& resource, const Field& field, const Row& row, JsonWriter& out) {
  out.Key(field.name);
  switch (resource.table->columns.at(field.column).type) {
    case ColumnType::kId:
    case ColumnType::kReference:
    case ColumnType::kInteger:
      out.Integer(IntegerAt(row, field.column));
      return;
    case ColumnType::kBoolean:
      out.Boolean(IntegerAt(row, field.column) != 0);
      return;
    case ColumnType::kTime:
    case ColumnType::kTimeSeconds:
      WriteTime(row.at(field.column), out);
      return;
    case ColumnType::kJson:
      WriteJson(resource, field, row, out);
      return;
    default:
      out.Text(TextAt(row, field.column));
  }
}

}  // namespace

std::string TextAt(const Row& row, size_t column) {
  std::string text;
  store::models::FromValue(row.at(column), text);
  return text;
}

int64_t IntegerAt(const Row& row, size_t column) {
  int64_t number = 0;
  store::models::FromValue(row.at(column), number);
  return number;
}

void WriteFields(const Resource& resource, const Row& row, JsonWriter& out) {
  out.Key("id").Integer(IntegerAt(row, 0));
  out.Key("created_at");
  WriteTime(row.at(1), out);
  out.Key("updated_at");
  WriteTime(row.at(2), out);
  out.Key("is_del").Integer(0);
  for (const Field& field : resource.fields) {
    if ((field.use & kShow) != 0) WriteField(resource, field, row, out);
  }
}

const Field* Resource::FieldOf(std::string_view name) const {
  for (const Field& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::vector<Member> Resource::CreateMembers() const {
  std::vector<Member> members;
  for (const Field& field : fields) {
    if ((field.use & kCreate) != 0)
      members.push_back({field.name, field.shape, (field.use & kRequired) != 0});
  }
  members.insert(members.end(), extra_create.begin(), extra_create.end());
  return members;
}

std::vector<Member> Resource::UpdateMembers() const {
  std::vector<Member> members;
  for (const Field& field : fields) {
    if ((field.use & kUpdate) != 0)
      members.push_back({field.name, field.shape, (field.use & kRequired) != 0});
  }
  members.insert(members.end(), extra_update.begin(), extra_update.end());
  return members;
}

std::vector<Member> Resource::FilterMembers() const {
  std::vector<Member> members;
  for (const Field& field : fields) {
    if ((field.use & kFilter) != 0) members.push_back({field.name, field.shape});
  }
  return members;
}

Shape Resource::AnswerShape() const {
  std::vector<Member> members = {{"id", Id()},
                                 {"created_at", rest::Time()},
                                 {"updated_at", rest::Time()},
                                 {"is_del", Integer(0, 1)}};
  for (const Field& field : fields) {
    if ((field.use & kShow) != 0) members.push_back({field.name, field.shape});
  }
  for (const Embed& embed : embeds) {
    const bool many = embed.kind != Embed::Kind::kParent;
    members.push_back({embed.name, many ? ArrayOf(Object({}), Shape::kNoLimit) : Object({})});
  }
  return Object(std::move(members));
}

}  // namespace dragonfly::manager::rest
