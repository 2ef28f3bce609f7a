#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/config/value.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::config {
namespace {

using nlohmann::json;
using status::Sv;

constexpr size_t kMaxJsonBytes = size_t{1} << 20;
constexpr size_t kMaxJsonValues = 100'000;
constexpr int kMaxJsonDepth = 32;

absl::Status Wrong(std::string_view name, std::string_view why) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument,
                            absl::StrCat(Sv(name), ": ", Sv(why)));
}

// The depth was bounded while it was parsed.
Value ToValue(const json& from) {
  Value value;
  if (from.is_object()) {
    value.kind = Value::Kind::kMap;
    for (auto member = from.begin(); member != from.end(); ++member) {
      value.map.push_back({member.key(), ToValue(*member)});
    }
  } else if (from.is_array()) {
    value.kind = Value::Kind::kList;
    for (const json& element : from) value.list.push_back(ToValue(element));
  } else if (!from.is_null()) {
    value.kind = Value::Kind::kScalar;
    value.scalar = from.is_string() ? from.get<std::string>() : from.dump();
  }
  return value;
}

}  // namespace

absl::StatusOr<Value> ParseJson(std::string_view text, std::string_view name) {
  if (text.empty()) return Value();
  if (text.size() > kMaxJsonBytes) return Wrong(name, "is longer than 1 MiB; shorten it");
  size_t values = 0;
  bool too_much = false;
  const auto watch = [&](int depth, json::parse_event_t event, json&) {
    const bool opens =
        event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
    too_much = too_much || (opens && depth >= kMaxJsonDepth) || ++values > 2 * kMaxJsonValues;
    return !too_much;
  };
  const json document = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (too_much) return Wrong(name, "has more than 32 levels or 100,000 values; write less");
  if (document.is_discarded()) return Wrong(name, "is not JSON; correct it where it is stored");
  return ToValue(document);
}

}  // namespace dragonfly::common::config
