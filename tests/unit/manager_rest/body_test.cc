#include "manager/rest/body.h"

#include <gtest/gtest.h>

#include "manager/rest/json_writer.h"

namespace dragonfly::manager::rest {
namespace {

const std::vector<Member> kMembers = {
    {"name", Text(1, 5), true},
    {"port", Integer(1, 65535)},
    {"flag", Boolean()},
    {"at", Time()},
    {"state", OneOf({"on", "off"})},
    {"config", Object({{"limit", Integer(1, 20)}, {"deep", Object({{"must", Text(1), true}})}})},
    {"list", ArrayOf(Text(1, 3), 2)}};

std::string ErrorOf(std::string_view body, Reading reading = Reading::kWhole) {
  const auto fields = ReadBody(body, kMembers, reading);
  return fields.ok() ? "" : std::string(fields.status().message());
}

TEST(BodyTest, ReadsWhatItKnowsAndLeavesOutTheRest) {
  const auto fields = ReadBody(
      R"({"name":"ä","port":80,"flag":false,"at":"2026-01-02T03:04:05.5+01:00","state":"on",
          "config":{"limit":3,"other":1},"list":["a"],"unknown":{}})",
      kMembers, Reading::kWhole);
  ASSERT_TRUE(fields.ok()) << fields.status();
  EXPECT_EQ(fields->Text("name"), "ä");
  EXPECT_EQ(fields->Integer("port"), 80);
  EXPECT_TRUE(fields->Has("flag"));
  EXPECT_FALSE(fields->Boolean("flag"));
  EXPECT_EQ(fields->Time("at"), absl::FromUnixMillis(1767319445500));
  EXPECT_EQ(fields->Json("config"), R"({"limit":3})");
  EXPECT_EQ(TextsOf(fields->Json("list")), std::vector<std::string>{"a"});
  EXPECT_FALSE(fields->Has("unknown"));
}

TEST(BodyTest, NamesFieldValueAndRule) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({})", "name is missing; it must be text of 1 to 5 characters"},
      {R"({"name":null})", "name is missing"},
      {R"({"name":""})", "name is empty"},
      {R"({"name":7})", "name is an integer; it must be text"},
      {R"({"name":"sixsix"})", "name has 6 characters"},
      {R"({"name":"a","port":70000})", "port is 70000; it must be integer from 1 to 65535"},
      {R"({"name":"a","port":-1})", "port is -1"},
      {R"({"name":"a","port":1.5})", "port is a number; it must be integer"},
      {R"({"name":"a","port":18446744073709551615})", "port is 18446744073709551615"},
      {R"({"name":"a","flag":0})", "flag is an integer; it must be true or false"},
      {R"({"name":"a","state":"up"})", "state is 'up'; it must be one of on, off"},
      {R"({"name":"a","at":"yesterday"})", "at is no time"},
      {R"({"name":"a","at":"1812-01-01T00:00:00Z"})", "at is no time after 1970"},
      {R"({"name":"a","config":{"limit":21}})", "config.limit is 21"},
      {R"({"name":"a","config":{"deep":{}}})", "config.deep.must is missing"},
      {R"({"name":"a","config":[]})", "config is an array; it must be object"},
      {R"({"name":"a","list":["a","b","c"]})", "list has 3 elements"},
      {R"({"name":"a","list":["a","long"]})", "list[1] has 4 characters"},
      {R"([])", "the body is an array; send one JSON object"},
      {R"({"name":"a")", "the body is not JSON"},
      {"{\"name\":\"\xff\"}", "the body is not JSON"}};
  for (const auto& [body, expected] : table)
    EXPECT_NE(ErrorOf(body).find(expected), std::string::npos) << body << ": " << ErrorOf(body);
  EXPECT_NE(ErrorOf(R"({"port":0.5,"state":"x"})").find("; port"), std::string::npos)
      << "all at once";
}

TEST(BodyTest, NothingIsLeftOutOfAWholeAndWrittenByAPatch) {
  const std::string zeros = R"({"name":"a","port":0,"state":"","config":{"limit":0}})";
  const auto whole = ReadBody(zeros, kMembers, Reading::kWhole);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_FALSE(whole->Has("port"));
  EXPECT_FALSE(whole->Has("state"));
  EXPECT_EQ(whole->Json("config"), "{}");
  EXPECT_NE(ErrorOf(zeros, Reading::kPatch).find("port is 0"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"name":""})", Reading::kPatch).find("name is empty"), std::string::npos);
  EXPECT_EQ(ErrorOf("{}", Reading::kPatch), "");
  const std::vector<Member> free = {{"bio", Text(0, 5)}, {"flag", Boolean()}, {"n", Integer(0, 5)}};
  const auto patch = ReadBody(R"({"bio":"","flag":false,"n":0})", free, Reading::kPatch);
  ASSERT_TRUE(patch.ok());
  for (const char* name : {"bio", "flag", "n"}) EXPECT_TRUE(patch->Has(name)) << name;
}

TEST(BodyTest, Sec_DepthAndSizeAreBounded) {
  const auto nested = [](int depth) {
    return R"({"name":"a","x":)" + std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']') + "}";
  };
  EXPECT_EQ(ErrorOf(nested(kMaxJsonDepth - 1)), "");
  EXPECT_NE(ErrorOf(nested(kMaxJsonDepth)).find("nested deeper"), std::string::npos);
  EXPECT_EQ(ErrorOf(R"({"name":"a","x":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"["})"), "")
      << "brackets in a text are none";
  EXPECT_NE(ErrorOf(std::string(kMaxBodyBytes + 1, ' ')).find("bytes"), std::string::npos);
  EXPECT_EQ(ErrorOf("", Reading::kPatch), "") << "no body is an empty one";
}

TEST(JsonWriterTest, EscapesForPagesAndReplacesWhatIsNoText) {
  const auto text = [](std::string_view value) { return JsonWriter().Text(value).Take(); };
  EXPECT_EQ(text("<a href=\"x\">&\n\t\\\x01"), R"("\u003ca href=\"x\"\u003e\u0026\n\t\\\u0001")");
  EXPECT_EQ(text("ä€😀"), "\"ä€😀\"");
  EXPECT_EQ(text("\xE2\x80\xA8"), R"("\u2028")");
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"})
    EXPECT_NE(text(bad).find("\xEF\xBF\xBD"), std::string::npos);
  EXPECT_EQ(EscapeForHtml("{\"a\":\"<\"}"), R"({"a":"\u003c"})");
}

TEST(JsonWriterTest, TimesAreThoseOfTheOriginal) {
  const auto time = [](absl::Time value) { return JsonWriter().Time(value).Take(); };
  EXPECT_EQ(time(absl::FromUnixMillis(1767319445500)), "\"2026-01-02T02:04:05.5Z\"");
  EXPECT_EQ(time(absl::FromUnixSeconds(1767319445)), "\"2026-01-02T02:04:05Z\"");
  EXPECT_EQ(time(absl::InfinitePast()), "\"0001-01-01T00:00:00Z\"");
}

TEST(JsonWriterTest, SeparatesWhatStandsSideBySide) {
  JsonWriter out;
  out.BeginObject().Key("a").BeginArray().Integer(1).Boolean(true).Null().EndArray();
  out.Key("b").BeginObject().EndObject().Key("c").Raw("[]").EndObject();
  EXPECT_EQ(out.Take(), R"({"a":[1,true,null],"b":{},"c":[]})");
}

}  // namespace
}  // namespace dragonfly::manager::rest
