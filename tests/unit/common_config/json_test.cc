#include <gtest/gtest.h>

#include "common/config/value.h"

namespace dragonfly::common::config {
namespace {

using Kind = Value::Kind;

TEST(Json, IsReadAsValues) {
  const auto value = ParseJson(R"({"a":[1,-2.5,true,null,"x\"\u00e9"],"b":{}})", "config");
  ASSERT_TRUE(value.ok()) << value.status();
  ASSERT_EQ(value->kind, Kind::kMap);
  ASSERT_EQ(value->map.size(), 2U);
  EXPECT_EQ(value->map[0].key, "a");
  const std::vector<Value>& list = value->map[0].value.list;
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(list[0].scalar, "1");
  EXPECT_EQ(list[1].scalar, "-2.5");
  EXPECT_EQ(list[2].scalar, "true");
  EXPECT_EQ(list[3].kind, Kind::kNull);
  EXPECT_EQ(list[4].scalar, "x\"\xc3\xa9");
  EXPECT_EQ(value->map[1].value.kind, Kind::kMap);
  EXPECT_EQ(ParseJson("", "config")->kind, Kind::kNull);
}

TEST(Json, IsRefusedWhenItIsNoneOrTooMuch) {
  std::string many = "[0";
  for (int i = 0; i < 300'000; ++i) many += ",0";
  many += "]";
  for (const std::string& text :
       {std::string("{"), std::string("{'a':1}"), std::string("{} {}"), std::string("\xff"),
        std::string("{\"a\":\"\xff\"}"), std::string("a: 1"), many, std::string(1 << 16, '['),
        std::string(33, '[') + std::string(33, ']'),
        "\"" + std::string(size_t{1} << 20, 'x') + "\""}) {
    const auto value = ParseJson(text, "config");
    EXPECT_TRUE(absl::IsInvalidArgument(value.status())) << text.substr(0, 50);
    EXPECT_EQ(std::string(value.status().message()).rfind("config: ", 0), 0U) << value.status();
  }
  EXPECT_TRUE(ParseJson(std::string(32, '[') + std::string(32, ']'), "config").ok());
}

}  // namespace
}  // namespace dragonfly::common::config
