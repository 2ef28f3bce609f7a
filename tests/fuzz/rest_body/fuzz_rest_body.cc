// Bodies and queries of the REST API: what is read fits its shape, and what is written is JSON.

#include <string>
#include <vector>

#include "manager/rest/body.h"
#include "manager/rest/json_writer.h"
#include "manager/rest/query.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace rest = manager::rest;

const std::vector<rest::Member>& Members() {
  static const std::vector<rest::Member> members = {
      {"name", rest::Text(1, 8), true},
      {"port", rest::Port()},
      {"flag", rest::Boolean()},
      {"at", rest::Time()},
      {"ip", rest::TextOf(rest::Shape::Format::kIp)},
      {"url", rest::TextOf(rest::Shape::Format::kUrl)},
      {"mail", rest::TextOf(rest::Shape::Format::kEmail)},
      {"config",
       rest::Object({{"limit", rest::Integer(1, 20)},
                     {"urls", rest::ArrayOf(rest::TextOf(rest::Shape::Format::kPattern), 4)}})},
      {"scopes", rest::ArrayOf(rest::OneOf({"job", "cluster"}), 2)}};
  return members;
}

void CheckFields(const rest::Fields& fields, rest::Reading reading) {
  if (fields.Has("name")) FUZZ_CHECK(!fields.Text("name").empty());
  if (reading == rest::Reading::kWhole) FUZZ_CHECK(fields.Has("name"));
  if (fields.Has("port"))
    FUZZ_CHECK(fields.Integer("port") >= 1 && fields.Integer("port") <= 65535);
  if (fields.Has("at")) FUZZ_CHECK(fields.Time("at") > absl::UnixEpoch());
  std::string compact;
  if (fields.Has("config")) FUZZ_CHECK(rest::Compact(fields.Json("config"), compact));
  for (const std::string& scope : rest::TextsOf(fields.Json("scopes")))
    FUZZ_CHECK(scope == "job" || scope == "cluster");
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace rest = dragonfly::manager::rest;
  using dragonfly::fuzz::CheckFields;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const rest::Reading reading : {rest::Reading::kWhole, rest::Reading::kPatch}) {
    const auto fields = rest::ReadBody(text, dragonfly::fuzz::Members(), reading);
    if (fields.ok()) CheckFields(*fields, reading);
  }
  std::string compact;
  if (rest::Compact(text, compact)) {
    std::string again;
    FUZZ_CHECK(rest::Compact(compact, again) && again == compact);
    FUZZ_CHECK(compact.find_first_of("<>&") == std::string::npos);
  }
  const std::string written = rest::JsonWriter().Text(text).Take();
  FUZZ_CHECK(rest::Compact(written, compact));
  const rest::Query query = rest::Query::Parse(text);
  FUZZ_CHECK(rest::Query::Parse(query.Encode()).Encode() == query.Encode());
  if (const auto page = rest::PageOf(query); page.ok()) {
    FUZZ_CHECK(page->number > 0 && page->size > 0);
    rest::LinkHeader("/x", query, *page, size);
  }
  return 0;
}
