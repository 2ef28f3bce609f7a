#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace dragonfly::manager::rest {

struct Member;

// What a JSON value must be like: checked when it comes in, written into the OpenAPI document and
// the reference page. Made by the functions below.
struct Shape {
  enum class Type : uint8_t { kText, kInteger, kBoolean, kTime, kObject, kArray };
  enum class Format : uint8_t { kAny, kPattern, kUrl, kEmail, kIp, kJson };
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  Type type = Type::kText;
  Format format = Format::kAny;  // of a text; kPattern: RE2 syntax
  // Of an integer its value, of a text its characters, of an array its elements.
  int64_t min = 0;
  int64_t max = kNoLimit;
  std::vector<std::string> one_of;  // of a text; empty: any
  std::vector<Member> members;      // of an object
  std::vector<Shape> element;       // of an array: one
};

// A member that is not known is left out, as the original does; so is null. A member that is not
// required may be 0 or "", which is the same as leaving it out, where its limits do not have that.
struct Member {
  std::string name;
  Shape shape;
  bool required = false;
  std::string doc = {};
};

Shape Text(int64_t min_characters = 0, int64_t max_characters = Shape::kNoLimit);
Shape TextOf(Shape::Format format);
Shape OneOf(std::vector<std::string> texts);
Shape Integer(int64_t min, int64_t max);
Shape Id();  // of a row: 1 and above
Shape Boolean();
Shape Time();  // RFC 3339
Shape Object(std::vector<Member> members);
Shape ArrayOf(Shape element, int64_t max_elements);
inline constexpr int64_t kMaxPort = 65535;
inline Shape Port() { return Integer(1, kMaxPort); }

// "text of 1 to 256 characters", "integer from 1 to 20": for messages and the reference page.
std::string Describe(const Shape& shape);

}  // namespace dragonfly::manager::rest
