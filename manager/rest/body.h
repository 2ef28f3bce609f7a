#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/rest/shape.h"

namespace dragonfly::manager::rest {

inline constexpr size_t kMaxBodyBytes = size_t{1} << 20U;
inline constexpr int kMaxJsonDepth = 32;

// A value that has been checked; objects and arrays as their JSON text, without what is unknown.
struct JsonText {
  std::string text;
};
using FieldValue = std::variant<std::string, int64_t, bool, absl::Time, JsonText>;

// What a request said, by name: only what was there and was not null.
class Fields {
 public:
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  const FieldValue* Find(std::string_view name) const;
  // The value, or nothing ("", 0, false, "null", the infinite past) when it was not there. The
  // shape has said which type it is.
  std::string Text(std::string_view name) const;
  int64_t Integer(std::string_view name) const;
  bool Boolean(std::string_view name) const;
  absl::Time Time(std::string_view name) const;
  std::string Json(std::string_view name) const;

  void Set(std::string name, FieldValue value);

 private:
  std::map<std::string, FieldValue, std::less<>> values_;
};

enum class Reading : uint8_t {
  kWhole,  // required members must be there, and be neither 0 nor ""
  kPatch   // what is there counts, 0 and "" too; a required member cannot be emptied
};

// Reads the body of a request. INVALID_ARGUMENT names each field that is wrong (ten at most), its
// value if it is a number or a choice, and what it must be; takes any bytes. An empty body is {}.
absl::StatusOr<Fields> ReadBody(std::string_view body, std::span<const Member> members,
                                Reading reading);

// The elements of a JSON array of texts; what is none is left out, and so is everything when it is
// no array.
std::vector<std::string> TextsOf(std::string_view json);
// The elements of a JSON array, each as JSON; none when it is no array.
std::vector<std::string> ElementsOf(std::string_view json);
// A JSON array.
std::string JsonOf(std::span<const std::string> texts);
// `json` in its shortest form, "<", ">", "&" escaped; false: it is not JSON, or deeper than
// kMaxJsonDepth.
bool Compact(std::string_view json, std::string& out);

}  // namespace dragonfly::manager::rest
