#include "manager/rest/open_api.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "manager/rest/json_writer.h"

namespace dragonfly::manager::rest {
namespace {

void WriteLimits(const Shape& shape, const char* min, const char* max, JsonWriter& out) {
  if (shape.min > 0) out.Key(min).Integer(shape.min);
  if (shape.max != Shape::kNoLimit) out.Key(max).Integer(shape.max);
}

void WriteSchema(const Shape& shape, JsonWriter& out);

void WriteMembers(const std::vector<Member>& members, JsonWriter& out) {
  out.Key("type").Text("object");
  if (members.empty()) return;
  out.Key("properties").BeginObject();
  for (const Member& member : members) {
    out.Key(member.name);
    WriteSchema(member.shape, out);
  }
  out.EndObject();
  bool any = false;
  for (const Member& member : members) {
    if (!member.required) continue;
    if (!std::exchange(any, true)) out.Key("required").BeginArray();
    out.Text(member.name);
  }
  if (any) out.EndArray();
}

void WriteText(const Shape& shape, JsonWriter& out) {
  out.Key("type").Text("string");
  WriteLimits(shape, "minLength", "maxLength", out);
  if (!shape.one_of.empty()) {
    out.Key("enum").BeginArray();
    for (const std::string& each : shape.one_of) out.Text(each);
    out.EndArray();
  }
  static const std::map<Shape::Format, std::string> kFormats = {{Shape::Format::kPattern, "regex"},
                                                                {Shape::Format::kUrl, "uri"},
                                                                {Shape::Format::kEmail, "email"},
                                                                {Shape::Format::kIp, "ip"}};
  const auto format = kFormats.find(shape.format);
  if (format != kFormats.end()) out.Key("format").Text(format->second);
}

void WriteSchema(const Shape& shape, JsonWriter& out) {
  out.BeginObject();
  switch (shape.type) {
    case Shape::Type::kText:
      WriteText(shape, out);
      break;
    case Shape::Type::kInteger:
      out.Key("type").Text("integer").Key("format").Text("int64");
      WriteLimits(shape, "minimum", "maximum", out);
      break;
    case Shape::Type::kBoolean:
      out.Key("type").Text("boolean");
      break;
    case Shape::Type::kTime:
      out.Key("type").Text("string").Key("format").Text("date-time");
      break;
    case Shape::Type::kObject:
      WriteMembers(shape.members, out);
      break;
    case Shape::Type::kArray:
      out.Key("type").Text("array").Key("items");
      WriteSchema(shape.element.at(0), out);
      WriteLimits(shape, "minItems", "maxItems", out);
      break;
  }
  out.EndObject();
}

std::vector<std::string> ParametersOf(const std::string& pattern) {
  std::vector<std::string> names;
  for (const std::string& segment : std::vector<std::string>(absl::StrSplit(pattern, '/'))) {
    if (!segment.empty() && segment[0] == ':') names.push_back(segment.substr(1));
  }
  return names;
}

// "/users/{id}" of "/users/:id".
std::string TemplateOf(const std::string& pattern) {
  std::vector<std::string> segments = absl::StrSplit(pattern, '/');
  for (std::string& segment : segments) {
    if (!segment.empty() && segment[0] == ':') segment = "{" + segment.substr(1) + "}";
  }
  return absl::StrJoin(segments, "/");
}

void WriteParameter(const std::string& name, const char* in, bool required, const Shape& shape,
                    JsonWriter& out) {
  out.BeginObject().Key("name").Text(name).Key("in").Text(in);
  out.Key("required").Boolean(required).Key("schema");
  WriteSchema(shape, out);
  out.EndObject();
}

void WriteParameters(const Route& route, JsonWriter& out) {
  std::vector<Member> query = route.operation.query;
  if (route.operation.pages) {
    query.push_back({"page", Integer(1, Shape::kNoLimit)});
    query.push_back({"per_page", Integer(1, 10'000'000)});
  }
  out.Key("parameters").BeginArray();
  for (const std::string& name : ParametersOf(route.pattern))
    WriteParameter(name, "path", true, name == "role" ? Text(1, 100) : Id(), out);
  for (const Member& member : query) WriteParameter(member.name, "query", false, member.shape, out);
  out.EndArray();
}

void WriteContent(const Shape& shape, JsonWriter& out) {
  out.Key("content").BeginObject().Key("application/json").BeginObject().Key("schema");
  WriteSchema(shape, out);
  out.EndObject().EndObject();
}

void WriteAnswers(const Route& route, JsonWriter& out) {
  const auto refused = [&](const char* status, const char* what, const char* member) {
    out.Key(status).BeginObject().Key("description").Text(what);
    WriteContent(Object({{member, Text()}}), out);
    out.EndObject();
  };
  out.Key("responses").BeginObject();
  out.Key("200").BeginObject().Key("description").Text("OK");
  if (route.operation.answer) WriteContent(*route.operation.answer, out);
  out.EndObject();
  if (route.policy.kind() != Policy::Kind::kPublic)
    refused("401", "no credentials, or not allowed", "message");
  if (!route.operation.body.empty() || !ParametersOf(route.pattern).empty())
    refused("422", "a field that is wrong, by name", "errors");
  if (route.account) refused("429", "too many attempts", "message");
  refused("503", "busy; see Retry-After", "message");
  out.EndObject();
}

void WriteSecurity(const Policy& policy, JsonWriter& out) {
  out.Key("security").BeginArray();
  const auto one = [&](const char* name) {
    out.BeginObject().Key(name).BeginArray().EndArray().EndObject();
  };
  if (policy.kind() == Policy::Kind::kSession) {
    one("cookie");
    one("session");
  }
  if (policy.kind() == Policy::Kind::kToken) one("personal_access_token");
  out.EndArray();
}

void WriteOperation(const Route& route, JsonWriter& out) {
  std::string tag =
      route.policy.kind() == Policy::Kind::kSession ? route.policy.object() : "public";
  if (route.policy.kind() == Policy::Kind::kToken) tag = "open";
  out.Key(absl::AsciiStrToLower(route.method)).BeginObject();
  out.Key("tags").BeginArray().Text(tag).EndArray();
  out.Key("summary").Text(route.operation.summary);
  WriteParameters(route, out);
  if (!route.operation.body.empty()) {
    out.Key("requestBody").BeginObject().Key("required").Boolean(true);
    WriteContent(Object(route.operation.body), out);
    out.EndObject();
  }
  WriteAnswers(route, out);
  WriteSecurity(route.policy, out);
  out.EndObject();
}

void WriteSchemes(JsonWriter& out) {
  out.Key("components").BeginObject().Key("securitySchemes").BeginObject();
  out.Key("cookie").BeginObject();
  out.Key("type").Text("apiKey").Key("in").Text("cookie").Key("name").Text("jwt").EndObject();
  for (const char* name : {"session", "personal_access_token"}) {
    out.Key(name).BeginObject();
    out.Key("type").Text("http").Key("scheme").Text("bearer").EndObject();
  }
  out.EndObject().EndObject();
}

// "`name`\*, `bio`": with the rules of each.
void AppendFields(const std::vector<Member>& members, const std::string& prefix,
                  std::string& page) {
  for (const Member& member : members) {
    const std::string name = prefix + member.name;
    const bool in_array = member.shape.type == Shape::Type::kArray &&
                          member.shape.element[0].type == Shape::Type::kObject;
    absl::StrAppend(&page, "| `", name, "` | ", member.required ? "yes" : "", " | ",
                    Describe(member.shape), " |\n");
    if (member.shape.type == Shape::Type::kObject)
      AppendFields(member.shape.members, name + ".", page);
    if (in_array) AppendFields(member.shape.element[0].members, name + "[].", page);
  }
}

}  // namespace

std::string OpenApiDocument(const std::vector<Route>& routes) {
  std::map<std::string, std::vector<const Route*>> paths;
  for (const Route& route : routes) paths[TemplateOf(route.pattern)].push_back(&route);
  JsonWriter out;
  out.BeginObject().Key("openapi").Text("3.0.3");
  out.Key("info").BeginObject();
  out.Key("title").Text("Dragonfly manager").Key("version").Text("v1").EndObject();
  out.Key("paths").BeginObject();
  for (const auto& [path, operations] : paths) {
    out.Key(path).BeginObject();
    for (const Route* route : operations) WriteOperation(*route, out);
    out.EndObject();
  }
  out.EndObject();
  WriteSchemes(out);
  return out.EndObject().Take();
}

std::string ReferencePage(const std::vector<Route>& routes) {
  std::string page =
      "## Routes\n\nWho: the object and action that a role needs, or the scope of a personal "
      "access "
      "token.\n\n| route | who | what it does |\n|---|---|---|\n";
  for (const Route& route : routes) {
    absl::StrAppend(&page, "| `", route.method, " ", route.pattern, "` | ",
                    route.policy.Describe(route.method), " | ", route.operation.summary, " |\n");
  }
  absl::StrAppend(&page, "\n## What requests may say\n");
  for (const Route& route : routes) {
    if (route.operation.body.empty() || route.policy.kind() == Policy::Kind::kToken) continue;
    absl::StrAppend(&page, "\n### ", route.method, " ", route.pattern,
                    "\n\n| field | must be there | what it is |\n|---|---|---|\n");
    AppendFields(route.operation.body, "", page);
  }
  absl::StrAppend(&page, "\n## Filters\n\n| list | filters |\n|---|---|\n");
  for (const Route& route : routes) {
    if (route.operation.query.empty()) continue;
    std::vector<std::string> names;
    for (const Member& member : route.operation.query) names.push_back(member.name);
    absl::StrAppend(&page, "| `", route.pattern, "` | ", absl::StrJoin(names, ", "), " |\n");
  }
  return page;
}

}  // namespace dragonfly::manager::rest
