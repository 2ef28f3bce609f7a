// What the console's API is sent: a body is refused with words or has the shape that was asked for,
// and a query is what its text says.

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "manager/rest/body.h"
#include "manager/rest/query.h"
#include "manager/rest/shape.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace rest = manager::rest;
using rest::Member;
using rest::Shape;

// A member of each shape.
const std::vector<Member>& Members() {
  static const std::vector<Member> kMembers = {
      {"name", rest::Text(1, 8), true},
      {"bio", rest::Text()},
      {"choice", rest::OneOf({"one", "two"})},
      {"count", rest::Integer(-5, 100)},
      {"id", rest::Id()},
      {"port", rest::Port(), true},
      {"on", rest::Boolean()},
      {"at", rest::Time()},
      {"pattern", rest::TextOf(Shape::Format::kPattern)},
      {"url", rest::TextOf(Shape::Format::kUrl)},
      {"email", rest::TextOf(Shape::Format::kEmail)},
      {"ip", rest::TextOf(Shape::Format::kIp)},
      {"json", rest::TextOf(Shape::Format::kJson)},
      {"object", rest::Object({{"inner", rest::Integer(1, 3), true}, {"other", rest::Boolean()}})},
      {"list", rest::ArrayOf(rest::Text(1, 4), 3)},
  };
  return kMembers;
}

void CheckFields(const rest::Fields& fields, rest::Reading reading) {
  if (fields.Has("count")) {
    FUZZ_CHECK(fields.Integer("count") >= -5 && fields.Integer("count") <= 100);
  }
  if (fields.Has("port")) {
    FUZZ_CHECK(fields.Integer("port") >= 1 && fields.Integer("port") <= rest::kMaxPort);
  }
  const std::string choice = fields.Text("choice");
  FUZZ_CHECK(choice.empty() || choice == "one" || choice == "two");
  FUZZ_CHECK(fields.Text("name").size() <= 8 * 4);
  if (fields.Has("object")) {
    const auto object = nlohmann::json::parse(fields.Json("object"), nullptr, false);
    FUZZ_CHECK(object.is_object() && object.contains("inner"));
    const auto inner = object["inner"].get<int64_t>();
    FUZZ_CHECK(inner >= 1 && inner <= 3);
    // What nobody asked for is left out.
    FUZZ_CHECK(object.size() == 1 + (object.contains("other") ? 1U : 0U));
  }
  FUZZ_CHECK(rest::TextsOf(fields.Json("list")).size() <= 3);
  if (reading == rest::Reading::kWhole) {
    FUZZ_CHECK(fields.Has("name") && fields.Has("port"));
    FUZZ_CHECK(!fields.Text("name").empty());
  }
}

void TryBody(std::string_view body) {
  for (const rest::Reading reading : {rest::Reading::kWhole, rest::Reading::kPatch}) {
    const auto fields = rest::ReadBody(body, Members(), reading);
    if (fields.ok()) {
      CheckFields(*fields, reading);
    } else {
      FUZZ_CHECK(absl::IsInvalidArgument(fields.status()));
      FUZZ_CHECK(!fields.status().message().empty());
    }
  }
}

void TryJson(std::string_view text) {
  std::string compact;
  if (rest::Compact(text, compact)) {
    FUZZ_CHECK(compact.find_first_of("<>&") == std::string::npos);
    std::string again;
    FUZZ_CHECK(rest::Compact(compact, again));
    FUZZ_CHECK(again == compact);
  }
  const std::vector<std::string> texts = rest::TextsOf(text);
  FUZZ_CHECK(texts.size() <= rest::ElementsOf(text).size());
  FUZZ_CHECK(rest::TextsOf(rest::JsonOf(texts)) == texts);
}

void TryQuery(std::string_view text) {
  const auto decoded = rest::PercentDecode(text, true);
  FUZZ_CHECK(!decoded || decoded->find('\0') == std::string::npos);
  FUZZ_CHECK(!decoded || rest::PercentDecode(rest::PercentEncode(*decoded), true) == decoded);
  const rest::Query query = rest::Query::Parse(text);
  const std::string encoded = query.Encode();
  FUZZ_CHECK(rest::Query::Parse(encoded).Encode() == encoded);
  constexpr std::string_view kSecret = "not-to-be-kept";
  rest::Query told = query;
  told.Set("code", std::string(kSecret));
  told.Set("token", std::string(kSecret));
  FUZZ_CHECK(text.find("to-be") != std::string_view::npos ||
             told.Redacted().find(kSecret) == std::string::npos);
  const auto page = rest::PageOf(query);
  if (page.ok()) {
    FUZZ_CHECK(page->number >= 1 && page->size >= 1 && page->size <= manager::store::kMaxPageSize);
    const std::string link = rest::LinkHeader("/api/v1/rows", query, *page, text.size());
    // A header of one line, whatever the parameters were.
    FUZZ_CHECK(link.find_first_of("\r\n") == std::string::npos);
  } else {
    FUZZ_CHECK(absl::IsInvalidArgument(page.status()));
  }
  const auto id = rest::ParseId(text, "id");
  FUZZ_CHECK(!id.ok() || *id > 0);
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const std::string_view text = TextOf(data, size);
  TryBody(text);
  TryJson(text);
  TryQuery(text);
  return 0;
}
