#include "common/config/schema.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::common::config {
namespace {

struct Example {
  std::string name = "x";
  bool on = false;
  uint16_t port = 4000;
  uint32_t count = 8;
  std::optional<uint64_t> cluster;
  absl::Duration wait = absl::Seconds(30);
  uint64_t limit = 50'000'000'000;
  uint32_t mode = 0660;
  std::string ip;
  std::vector<std::string> hosts;
  std::map<std::string, std::string> headers;
  std::string kind = "a";
};

Schema SchemaOf(Example& example, Schema::Options options = {}) {
  Schema schema(options);
  schema.Text("section.name", &example.name, "a name");
  schema.Flag("section.on", &example.on, "a flag");
  schema.Port("section.server.port", &example.port, "a port");
  schema.Number<uint32_t>("section.count", &example.count, 1, 100, "a count");
  schema.Number<uint64_t>("section.cluster", &example.cluster, 1, 1000, "a cluster");
  schema.Duration("section.wait", &example.wait, absl::Seconds(1), "a wait");
  schema.Size("section.limit", &example.limit, "a limit");
  schema.Mode("section.mode", &example.mode, "a mode");
  schema.Ip("section.ip", &example.ip, "an address");
  schema.TextList("section.hosts", &example.hosts, "hosts");
  schema.TextMap("section.headers", &example.headers, "headers");
  schema.Choice("section.kind", &example.kind, {"a", "b"}, "a kind");
  schema.Ignored("section.old", "has no meaning here");
  schema.Refused("section.tls", "not without TLS");
  schema.Alias("section.alsoCount", "section.count");
  return schema;
}

std::string ErrorOf(std::string_view text, Schema::Options options = {}) {
  Example example;
  Schema schema = SchemaOf(example, options);
  const absl::StatusOr<Schema::Warnings> loaded = schema.Load(text, "f.yaml");
  return loaded.ok() ? "" : std::string(loaded.status().message());
}

TEST(Schema, ReadsEveryType) {
  Example example;
  Schema schema = SchemaOf(example);
  const absl::StatusOr<Schema::Warnings> loaded = schema.Load(R"(
section:
  name: "quoted: text"
  on: true
  server: {port: 0}
  alsoCount: 9
  cluster: 3
  wait: 1h 5m
  limit: 64MiB
  mode: 0777
  ip: fd00::1
  hosts: [a, "b"]
  headers: {x: y}
  kind: b
  old: {any: [thing]}
)",
                                                              "f.yaml");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*loaded, Schema::Warnings{"f.yaml:15: section.old: has no meaning here"});
  EXPECT_EQ(example.name, "quoted: text");
  EXPECT_TRUE(example.on);
  EXPECT_EQ(example.port, 0);
  EXPECT_EQ(example.count, 9U);
  EXPECT_EQ(example.cluster, 3U);
  EXPECT_EQ(example.wait, absl::Minutes(65));
  EXPECT_EQ(example.limit, uint64_t{64} << 20U);
  EXPECT_EQ(example.mode, 0777U);
  EXPECT_EQ(example.ip, "fd00::1");
  EXPECT_EQ(example.hosts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(example.headers.at("x"), "y");
  EXPECT_EQ(example.kind, "b");
}

TEST(Schema, AnEmptyFileAndEmptyKeysKeepTheDefaults) {
  EXPECT_EQ(ErrorOf(""), "");
  EXPECT_EQ(ErrorOf("section:\n"), "");
  EXPECT_EQ(ErrorOf("section:\n  count:\n  server:\n"), "");
}

TEST(Schema, ErrorsNameFileLineKeyValueAndRemedy) {
  EXPECT_EQ(ErrorOf("section:\n  count: many\n"),
            "f.yaml:2: section.count: 'many' is not a number from 1 to 100");
  EXPECT_EQ(ErrorOf("section:\n  count: 101\n"),
            "f.yaml:2: section.count: '101' is not a number from 1 to 100");
  EXPECT_EQ(ErrorOf("section:\n  server:\n    port: 65536\n"),
            "f.yaml:3: section.server.port: '65536' is not a number from 0 to 65535");
  EXPECT_EQ(ErrorOf("section:\n  on: yes\n"), "f.yaml:2: section.on: 'yes' is not true or false");
  EXPECT_NE(ErrorOf("section:\n  wait: 0s\n").find("at least 1s"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  wait: -5s\n").find("a duration"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  limit: lots\n").find("64MiB"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  mode: 0999\n").find("octal"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  ip: localhost\n").find("10.0.0.1"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  kind: c\n").find("one of a, b"), std::string::npos);
  EXPECT_NE(ErrorOf("section:\n  hosts: a\n").find("a list"), std::string::npos);
  EXPECT_NE(ErrorOf("section: 3\n").find("expected a section"), std::string::npos);
  EXPECT_NE(ErrorOf("- a\n").find("expected keys"), std::string::npos);
}

TEST(Schema, UnknownKeysAreWarningsWithTheNearestKnownOne) {
  Example example;
  Schema schema = SchemaOf(example);
  const absl::StatusOr<Schema::Warnings> loaded =
      schema.Load("section:\n  cuont: 3\nother: 1\n", "f.yaml");
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ((*loaded)[0], "f.yaml:2: section.cuont: unknown key; did you mean section.count?");
  EXPECT_EQ((*loaded)[1], "f.yaml:3: other: unknown key");
  EXPECT_NE(ErrorOf("section:\n  cuont: 3\n", {.strict = true}).find("unknown key"),
            std::string::npos);
}

TEST(Schema, KeysWithoutCaseWhereAskedFor) {
  EXPECT_EQ(ErrorOf("SECTION:\n  COUNT: 3\n", {.strict = true, .ignore_case = true}), "");
  EXPECT_NE(ErrorOf("SECTION:\n  COUNT: 3\n", {.strict = true}), "");
}

TEST(Schema, ChecksRunAfterTheValues) {
  Example example;
  Schema schema = SchemaOf(example);
  schema.Check([&example] {
    return example.count > 5 ? absl::InvalidArgumentError("count: too many together")
                             : absl::OkStatus();
  });
  EXPECT_FALSE(schema.Load("section:\n  count: 9\n", "f.yaml").ok());
  EXPECT_TRUE(schema.Load("section:\n  count: 3\n", "f.yaml").ok());
}

TEST(Schema, KeysThatSomebodyMayRelyOnAreRefusedUnlessTheyAreEmpty) {
  EXPECT_EQ(ErrorOf("section:\n  tls: {cert: /c.pem}\n"), "f.yaml:2: section.tls: not without TLS");
  EXPECT_EQ(ErrorOf("section:\n  tls: [x]\n"), "f.yaml:2: section.tls: not without TLS");
  EXPECT_EQ(ErrorOf("section:\n  tls: true\n"), "f.yaml:2: section.tls: not without TLS");
  EXPECT_EQ(ErrorOf("section:\n  tls: {cert: '', key: }\n"), "");
  EXPECT_EQ(ErrorOf("section:\n  tls:\n"), "");
}

TEST(Schema, ControlCharactersReadBackTheSame) {
  Example example;
  Schema schema = SchemaOf(example);
  ASSERT_TRUE(schema.Load("section:\n  name: \"a\\nb\\t\\x01\\x7f \\\\n \"\n", "f").ok());
  ASSERT_EQ(example.name, "a\nb\t\x01\x7f \\n ");
  Example again;
  Schema other = SchemaOf(again);
  ASSERT_TRUE(other.Load(schema.PrintYaml(), "printed").ok()) << schema.PrintYaml();
  EXPECT_EQ(again.name, example.name);
}

TEST(Schema, WhatItPrintsReadsBackTheSame) {
  Example example;
  Schema schema = SchemaOf(example);
  ASSERT_TRUE(schema
                  .Load("section: {name: 'a\"b', count: 7, wait: 90s, hosts: [x], headers: {k: v}, "
                        "cluster: 2}",
                        "f")
                  .ok());
  const std::string printed = schema.PrintYaml();
  Example again;
  Schema other = SchemaOf(again, {.strict = true});
  const absl::StatusOr<Schema::Warnings> loaded = other.Load(printed, "printed");
  ASSERT_TRUE(loaded.ok()) << loaded.status() << "\n" << printed;
  EXPECT_EQ(other.PrintYaml(), printed);
  EXPECT_EQ(again.name, "a\"b");
  EXPECT_EQ(again.cluster, 2U);
}

TEST(Schema, TheReferencePageHasEveryKey) {
  Example example;
  const std::string page = SchemaOf(example).PrintMarkdown();
  EXPECT_NE(page.find("| section.wait | duration | `30s` | no | a wait |"), std::string::npos)
      << page;
  EXPECT_NE(page.find("section.old"), std::string::npos);
}

TEST(ParseYaml, RefusesWhatCouldGrowWithoutEnd) {
  EXPECT_FALSE(ParseYaml("a: &x 1\nb: *x\n", "f").ok());
  EXPECT_FALSE(ParseYaml("a: 1\na: 2\n", "f").ok());
  EXPECT_FALSE(ParseYaml(std::string(100, '['), "f").ok());
  std::string many = "a:\n";
  for (int i = 0; i < 20000; ++i) many += "  - 1\n";
  EXPECT_FALSE(ParseYaml(many, "f").ok());
  EXPECT_FALSE(ParseYaml("a: [1\n", "f").ok());
  EXPECT_FALSE(ParseYaml("a: 1\n---\nb: 2\n", "f").ok());
}

TEST(ParseYaml, KnowsLinesAndQuotes) {
  const absl::StatusOr<Value> value = ParseYaml("a: 1\nb:\n  - \"null\"\n  - null\n", "f");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->map[1].value.list[0].kind, Value::Kind::kScalar);
  EXPECT_EQ(value->map[1].value.list[1].kind, Value::Kind::kNull);
  EXPECT_EQ(value->map[1].value.list[1].line, 4);
}

}  // namespace
}  // namespace dragonfly::common::config
