#include "manager/search/scopes.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/strings.h"

namespace dragonfly::manager::search {
namespace {

using common::status::Sv;
using nlohmann::json;

// An object of lists is two deep. Writing a value out again goes as deep as it is nested.
constexpr int kMaxDepth = 32;

void Skip(std::string_view field, std::string_view value, std::string_view why,
          std::vector<Skipped>& skipped) {
  skipped.push_back(
      {std::string(field), std::string(value.substr(0, kShownBytes)), std::string(why)});
}

std::string Shown(const json& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

// The member of this name; failing that, one whose name differs in case only.
const json* Member(const json& object, std::string_view name) {
  const auto exact = object.find(std::string(name));
  if (exact != object.end()) return &*exact;
  for (auto member = object.begin(); member != object.end(); ++member) {
    if (absl::EqualsIgnoreCase(member.key(), Sv(name))) return &*member;
  }
  return nullptr;
}

void ReadText(const json& object, std::string_view name, std::string& out,
              std::vector<Skipped>& skipped) {
  const json* value = Member(object, name);
  if (value == nullptr || value->is_null()) return;
  if (value->is_string()) {
    out = value->get_ref<const std::string&>();
    return;
  }
  Skip(absl::StrCat("scopes.", Sv(name)), Shown(*value), "is not a text; write it in quotes",
       skipped);
}

void ReadList(const json& object, std::string_view name, std::vector<std::string>& out,
              std::vector<Skipped>& skipped) {
  const json* value = Member(object, name);
  if (value == nullptr || value->is_null()) return;
  const std::string field = absl::StrCat("scopes.", Sv(name));
  if (!value->is_array()) {
    Skip(field, Shown(*value), "is not a list of texts; write it in square brackets", skipped);
    return;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    const json& element = (*value)[i];
    if (i >= kMaxScopeElements) {
      Skip(field, absl::StrCat(value->size(), " elements"),
           absl::StrCat("only the first ", kMaxScopeElements, " count; merge some"), skipped);
      return;
    }
    if (element.is_string()) {
      out.push_back(element.get<std::string>());
    } else {
      Skip(absl::StrCat(field, "[", i, "]"), Shown(element), "is not a text; write it in quotes",
           skipped);
    }
  }
}

}  // namespace

Scopes ReadScopes(std::string_view text, std::vector<Skipped>& skipped) {
  Scopes scopes;
  if (text.empty()) return scopes;
  if (text.size() > kMaxScopesBytes) {
    Skip("scopes", text, absl::StrCat("is longer than ", kMaxScopesBytes, " bytes; shorten it"),
         skipped);
    return scopes;
  }
  bool too_deep = false;
  const auto watch = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const json object = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (too_deep) {
    Skip("scopes", text, absl::StrCat("is nested more than ", kMaxDepth, " deep; write it flat"),
         skipped);
    return scopes;
  }
  if (object.is_null()) return scopes;
  if (!object.is_object()) {
    Skip("scopes", text, R"(is not a JSON object; write for example {"idc": "east"})", skipped);
    return scopes;
  }
  ReadText(object, "idc", scopes.idc, skipped);
  ReadText(object, "location", scopes.location, skipped);
  ReadList(object, "cidrs", scopes.cidrs, skipped);
  ReadList(object, "hostnames", scopes.hostnames, skipped);
  return scopes;
}

std::string ScopesJson(const Scopes& scopes) {
  json object = json::object();
  if (!scopes.idc.empty()) object["idc"] = scopes.idc;
  if (!scopes.location.empty()) object["location"] = scopes.location;
  if (!scopes.cidrs.empty()) object["cidrs"] = scopes.cidrs;
  if (!scopes.hostnames.empty()) object["hostnames"] = scopes.hostnames;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace dragonfly::manager::search
