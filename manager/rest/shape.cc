#include "manager/rest/shape.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace dragonfly::manager::rest {
namespace {

std::string Limits(const Shape& shape, const char* unit) {
  if (shape.max == Shape::kNoLimit)
    return shape.min <= 0 ? "" : absl::StrCat(" of at least ", shape.min, unit);
  if (shape.min <= 0) return absl::StrCat(" of at most ", shape.max, unit);
  return absl::StrCat(" of ", shape.min, " to ", shape.max, unit);
}

const char* FormatText(Shape::Format format) {
  switch (format) {
    case Shape::Format::kPattern:
      return "pattern (RE2 syntax)";
    case Shape::Format::kUrl:
      return "http or https URL";
    case Shape::Format::kEmail:
      return "e-mail address";
    case Shape::Format::kIp:
      return "IP address";
    case Shape::Format::kJson:
      return "text that is JSON";
    case Shape::Format::kAny:
      break;
  }
  return "text";
}

Shape Of(Shape::Type type) {
  Shape shape;
  shape.type = type;
  return shape;
}

}  // namespace

Shape Text(int64_t min_characters, int64_t max_characters) {
  Shape shape;
  shape.min = min_characters;
  shape.max = max_characters;
  return shape;
}

Shape TextOf(Shape::Format format) {
  Shape shape;
  shape.format = format;
  return shape;
}

Shape OneOf(std::vector<std::string> texts) {
  Shape shape;
  shape.one_of = std::move(texts);
  return shape;
}

Shape Integer(int64_t min, int64_t max) {
  Shape shape = Of(Shape::Type::kInteger);
  shape.min = min;
  shape.max = max;
  return shape;
}

Shape Id() { return Integer(1, Shape::kNoLimit); }
Shape Boolean() { return Of(Shape::Type::kBoolean); }
Shape Time() { return Of(Shape::Type::kTime); }

Shape Object(std::vector<Member> members) {
  Shape shape = Of(Shape::Type::kObject);
  shape.members = std::move(members);
  return shape;
}

Shape ArrayOf(Shape element, int64_t max_elements) {
  Shape shape = Of(Shape::Type::kArray);
  shape.element.push_back(std::move(element));
  shape.max = max_elements;
  return shape;
}

std::string Describe(const Shape& shape) {
  switch (shape.type) {
    case Shape::Type::kText:
      if (!shape.one_of.empty()) return absl::StrCat("one of ", absl::StrJoin(shape.one_of, ", "));
      return absl::StrCat(FormatText(shape.format), Limits(shape, " characters"));
    case Shape::Type::kInteger:
      if (shape.max == Shape::kNoLimit) return absl::StrCat("integer, at least ", shape.min);
      return absl::StrCat("integer from ", shape.min, " to ", shape.max);
    case Shape::Type::kBoolean:
      return "true or false";
    case Shape::Type::kTime:
      return "time (RFC 3339)";
    case Shape::Type::kObject:
      return "object";
    case Shape::Type::kArray:
      break;
  }
  return absl::StrCat("array", Limits(shape, " elements"), " (", Describe(shape.element.at(0)),
                      ")");
}

}  // namespace dragonfly::manager::rest
