#include "manager/rest/body.h"

#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/http/url.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/rest/json_writer.h"

namespace dragonfly::manager::rest {
namespace {

using common::status::Invalid;
using nlohmann::ordered_json;

using common::status::Sv;

constexpr size_t kMaxProblems = 10;
constexpr size_t kMaxShownBytes = 64;
constexpr size_t kMaxPatternBytes = 1024;
constexpr int64_t kMaxPatternMemoryBytes = int64_t{1} << 20U;
constexpr size_t kMaxEmailBytes = 254;

// Deeper than any recursion should go; looks at brackets outside of texts only.
bool IsTooDeep(std::string_view json) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
      continue;
    }
    if (c == '"') in_text = true;
    if ((c == '{' || c == '[') && ++depth > kMaxJsonDepth) return true;
    if (c == '}' || c == ']') --depth;
  }
  return false;
}

bool ParseJson(std::string_view text, ordered_json& out) {
  if (IsTooDeep(text)) return false;
  out = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  return !out.is_discarded();
}

size_t Characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

const char* KindOf(const ordered_json& value) {
  if (value.is_string()) return "a text";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "true or false";
  if (value.is_array()) return "an array";
  return value.is_object() ? "an object" : "null";
}

bool IsEmail(std::string_view text) {
  const size_t at = text.find('@');
  if (text.size() > kMaxEmailBytes || at == 0 || at == std::string_view::npos) return false;
  const std::string_view host = text.substr(at + 1);
  return !host.empty() && host.find('@') == std::string_view::npos &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; });
}

// What is wrong with a text; "": nothing.
std::string FormatProblem(Shape::Format format, const std::string& text) {
  switch (format) {
    case Shape::Format::kPattern: {
      if (text.size() > kMaxPatternBytes)
        return absl::StrCat("is a pattern of more than ", kMaxPatternBytes, " bytes; shorten it");
      RE2::Options options(RE2::Quiet);
      options.set_max_mem(kMaxPatternMemoryBytes);
      const RE2 pattern(text, options);
      return pattern.ok() ? "" : absl::StrCat("is no pattern (", pattern.error(), "); correct it");
    }
    case Shape::Format::kUrl:
      return common::http::ParseUrl(text).ok() ? "" : "is no http or https URL";
    case Shape::Format::kEmail:
      return IsEmail(text) ? "" : "is no e-mail address; write name@host";
    case Shape::Format::kIp:
      return common::net::IpAddress::Parse(text).ok() ? "" : "is no IP address";
    case Shape::Format::kJson: {
      ordered_json ignored;
      return ParseJson(text, ignored) ? "" : "is not JSON; write one JSON value";
    }
    case Shape::Format::kAny:
      break;
  }
  return "";
}

// Checks values and collects what is wrong with them.
class Reader {
 public:
  // `value` has the shape; what it knows is left in it. Adds problems otherwise.
  bool Check(const Shape& shape, const std::string& path, ordered_json& value) {
    switch (shape.type) {
      case Shape::Type::kText:
        return CheckText(shape, path, value);
      case Shape::Type::kInteger:
        return CheckInteger(shape, path, value);
      case Shape::Type::kBoolean:
        return value.is_boolean() || WrongType(shape, path, value);
      case Shape::Type::kTime:
        return CheckTime(shape, path, value);
      case Shape::Type::kObject:
        return CheckObject(shape, path, value);
      case Shape::Type::kArray:
        break;
    }
    return CheckArray(shape, path, value);
  }

  bool Problem(const std::string& path, std::string_view what) {
    if (problems_.size() < kMaxProblems) problems_.push_back(absl::StrCat(path, " ", Sv(what)));
    return false;
  }
  absl::Status status() const {
    return problems_.empty() ? absl::OkStatus() : Invalid(absl::StrJoin(problems_, "; "));
  }

 private:
  bool WrongType(const Shape& shape, const std::string& path, const ordered_json& value) {
    return Problem(path, absl::StrCat("is ", KindOf(value), "; it must be ", Describe(shape)));
  }

  bool CheckText(const Shape& shape, const std::string& path, const ordered_json& value) {
    if (!value.is_string()) return WrongType(shape, path, value);
    const auto& text = value.get_ref<const std::string&>();
    if (!shape.one_of.empty()) {
      if (std::find(shape.one_of.begin(), shape.one_of.end(), text) != shape.one_of.end())
        return true;
      return Problem(path, absl::StrCat("is '", text.substr(0, kMaxShownBytes), "'; it must be ",
                                        Describe(shape)));
    }
    const auto characters = static_cast<int64_t>(Characters(text));
    if (characters < shape.min || characters > shape.max)
      return Problem(path,
                     absl::StrCat("has ", characters, " characters; it must be ", Describe(shape)));
    const std::string problem = FormatProblem(shape.format, text);
    return problem.empty() || Problem(path, problem);
  }

  bool CheckInteger(const Shape& shape, const std::string& path, const ordered_json& value) {
    if (!value.is_number_integer()) return WrongType(shape, path, value);
    const bool beyond = value.is_number_unsigned() &&
                        value.get<uint64_t>() > static_cast<uint64_t>(Shape::kNoLimit);
    if (!beyond && value.get<int64_t>() >= shape.min && value.get<int64_t>() <= shape.max)
      return true;
    return Problem(path, absl::StrCat("is ", value.dump(), "; it must be ", Describe(shape)));
  }

  bool CheckTime(const Shape& shape, const std::string& path, const ordered_json& value) {
    absl::Time time;
    std::string ignored;
    if (!value.is_string()) return WrongType(shape, path, value);
    const bool parsed =
        absl::ParseTime(absl::RFC3339_full, value.get_ref<const std::string&>(), &time, &ignored);
    // What databases can keep.
    if (parsed && time > absl::UnixEpoch() && time < absl::FromUnixSeconds(253402300800))
      return true;
    return Problem(path, "is no time after 1970; write 2027-01-31T12:00:00Z");
  }

  bool CheckArray(const Shape& shape, const std::string& path, ordered_json& value) {
    if (!value.is_array()) return WrongType(shape, path, value);
    const auto size = static_cast<int64_t>(value.size());
    if (size < shape.min || size > shape.max)
      return Problem(path, absl::StrCat("has ", size, " elements; it must be ", Describe(shape)));
    bool fits = true;
    for (size_t i = 0; i < value.size() && problems_.size() < kMaxProblems; ++i)
      fits = Check(shape.element.at(0), absl::StrCat(path, "[", i, "]"), value[i]) && fits;
    return fits;
  }

  bool CheckObject(const Shape& shape, const std::string& path, ordered_json& value) {
    if (!value.is_object()) return WrongType(shape, path, value);
    ordered_json kept = ordered_json::object();
    bool fits = true;
    for (const Member& member : shape.members) {
      const std::string inner = absl::StrCat(path, ".", member.name);
      const auto found = value.find(member.name);
      const bool there = found != value.end() && !found->is_null();
      if (!there || (IsNothing(member.shape, *found) && !member.required)) {
        if (there && Fits(member.shape, *found)) kept[member.name] = *found;
        if (member.required) fits = Problem(inner, "is missing");
        continue;
      }
      fits = Check(member.shape, inner, *found) && fits;
      kept[member.name] = *found;
    }
    value = std::move(kept);
    return fits;
  }

 public:
  // 0, or "": how the original's clients leave a field out.
  static bool IsNothing(const Shape& shape, const ordered_json& value) {
    const bool text = shape.type == Shape::Type::kText || shape.type == Shape::Type::kTime;
    if (text) return value.is_string() && value.get_ref<const std::string&>().empty();
    return shape.type == Shape::Type::kInteger && value.is_number_integer() && value == 0;
  }
  // Whether a value would pass, without a word.
  static bool Fits(const Shape& shape, ordered_json value) {
    Reader silent;
    return silent.Check(shape, "", value);
  }

 private:
  std::vector<std::string> problems_;
};

FieldValue ValueOf(const Shape& shape, const ordered_json& value) {
  switch (shape.type) {
    case Shape::Type::kText:
      return value.get<std::string>();
    case Shape::Type::kInteger:
      return value.get<int64_t>();
    case Shape::Type::kBoolean:
      return value.get<bool>();
    case Shape::Type::kTime: {
      absl::Time time;
      std::string ignored;
      absl::ParseTime(absl::RFC3339_full, value.get_ref<const std::string&>(), &time, &ignored);
      return time;
    }
    default:
      return JsonText{value.dump()};
  }
}

void ReadMember(const Member& member, ordered_json& value, Reading reading, Reader& reader,
                Fields& fields) {
  const bool nothing = Reader::IsNothing(member.shape, value);
  // As the original, whose clients send what they do not want to say as 0 or "".
  if (nothing && !member.required && reading == Reading::kWhole &&
      !Reader::Fits(member.shape, value)) {
    return;
  }
  const bool may_be_nothing = member.shape.type == Shape::Type::kInteger && member.shape.min <= 0;
  if (nothing && member.required && !may_be_nothing) {
    reader.Problem(member.name, "is empty; give it a value");
    return;
  }
  if (reader.Check(member.shape, member.name, value))
    fields.Set(member.name, ValueOf(member.shape, value));
}

}  // namespace

const FieldValue* Fields::Find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

namespace {

template <typename T>
T Or(const FieldValue* value, T nothing) {
  const T* typed = value == nullptr ? nullptr : std::get_if<T>(value);
  return typed == nullptr ? nothing : *typed;
}

}  // namespace

std::string Fields::Text(std::string_view name) const { return Or(Find(name), std::string()); }
int64_t Fields::Integer(std::string_view name) const { return Or(Find(name), int64_t{0}); }
bool Fields::Boolean(std::string_view name) const { return Or(Find(name), false); }
absl::Time Fields::Time(std::string_view name) const {
  return Or(Find(name), absl::InfinitePast());
}
std::string Fields::Json(std::string_view name) const {
  return Or(Find(name), JsonText{"null"}).text;
}
void Fields::Set(std::string name, FieldValue value) {
  values_.insert_or_assign(std::move(name), std::move(value));
}

absl::StatusOr<Fields> ReadBody(std::string_view body, std::span<const Member> members,
                                Reading reading) {
  if (body.size() > kMaxBodyBytes)
    return Invalid(absl::StrCat("the body has ", body.size(), " bytes; at most ", kMaxBodyBytes));
  if (IsTooDeep(body))
    return Invalid(absl::StrCat("the body is nested deeper than ", kMaxJsonDepth, " levels"));
  ordered_json root = ordered_json::object();
  if (!body.empty() && !ParseJson(body, root))
    return Invalid("the body is not JSON (UTF-8); send one JSON object");
  if (!root.is_object())
    return Invalid(absl::StrCat("the body is ", KindOf(root), "; send one JSON object"));
  Reader reader;
  Fields fields;
  for (const Member& member : members) {
    const auto found = root.find(member.name);
    if (found != root.end() && !found->is_null()) {
      ReadMember(member, *found, reading, reader, fields);
    } else if (member.required && reading == Reading::kWhole) {
      reader.Problem(member.name, absl::StrCat("is missing; it must be ", Describe(member.shape)));
    }
  }
  if (absl::Status status = reader.status(); !status.ok()) return status;
  return fields;
}

std::vector<std::string> TextsOf(std::string_view json) {
  std::vector<std::string> texts;
  ordered_json value;
  if (!ParseJson(json, value) || !value.is_array()) return texts;
  for (const ordered_json& element : value) {
    if (element.is_string()) texts.push_back(element.get<std::string>());
  }
  return texts;
}

std::vector<std::string> ElementsOf(std::string_view json) {
  std::vector<std::string> elements;
  ordered_json value;
  if (!ParseJson(json, value) || !value.is_array()) return elements;
  for (const ordered_json& element : value) elements.push_back(element.dump());
  return elements;
}

std::string JsonOf(std::span<const std::string> texts) {
  JsonWriter out;
  out.BeginArray();
  for (const std::string& text : texts) out.Text(text);
  out.EndArray();
  return out.Take();
}

bool Compact(std::string_view json, std::string& out) {
  ordered_json value;
  if (!ParseJson(json, value)) return false;
  const std::string text = value.dump();
  out = EscapeForHtml(text);
  return true;
}

}  // namespace dragonfly::manager::rest
