#include "common/oci/documents.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace dragonfly::common::oci {
namespace {

const std::string kOci = "application/vnd.oci.image.manifest.v1+json";
const std::string kOciList = "application/vnd.oci.image.index.v1+json";
const std::string kDocker = "application/vnd.docker.distribution.manifest.v2+json";
const std::string kDockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";

std::string DigestOf(char c) { return "sha256:" + std::string(64, c); }
std::string Blob(char c, const std::string& more = "") {
  return absl::StrCat(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")",
                      DigestOf(c), R"(","size":7)", more, "}");
}
std::string ImageJson(const std::string& more = "") {
  return absl::StrCat(R"({"schemaVersion":2,"config":)", Blob('c'), R"(,"layers":[)", Blob('1'),
                      ",", Blob('2'), "]", more, "}");
}
std::string IndexJson(const std::string& entries) {
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[)", entries, "]}");
}
std::string Entry(char c, const std::string& os, const std::string& architecture,
                  const std::string& variant = "") {
  return Blob(c, absl::StrCat(R"(,"platform":{"os":")", os, R"(","architecture":")", architecture,
                              R"(","variant":")", variant, R"("})"));
}
std::string Chosen(const std::string& entries, const std::string& platform) {
  const auto document = ParseManifest(kOciList, IndexJson(entries));
  if (!document.ok()) return std::string(document.status().message());
  std::string out;
  for (const Descriptor& one : Select(std::get<ImageIndex>(*document), *ParsePlatform(platform)))
    out += one.digest.substr(7, 1);
  return out;
}

TEST(Documents, ReadsImagesOfBothKinds) {
  for (const std::string& type : {kOci, kDocker, kOci + "; charset=utf-8"}) {
    const auto document = ParseManifest(type, ImageJson());
    ASSERT_TRUE(document.ok()) << document.status();
    const auto& image = std::get<ImageManifest>(*document);
    EXPECT_EQ(image.config.digest, DigestOf('c'));
    ASSERT_EQ(image.layers.size(), 2U);
    EXPECT_EQ(image.layers[1].digest, DigestOf('2'));
    EXPECT_EQ(image.layers[1].size_bytes, 7U);
  }
  EXPECT_TRUE(ParseManifest(kOci, ImageJson(R"(,"mediaType":")" + kOci + "\"")).ok());
}

TEST(Documents, Sec_D9_RefusesWhatContradictsItself) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {kOci, ImageJson(R"(,"mediaType":")" + kOciList + "\"")},
      {kOci, ImageJson(R"(,"manifests":[])")},
      {kOciList, ImageJson()},
      {kOci, IndexJson("")},
      {"application/json", ImageJson()},
      {"", ImageJson()},
      {"application/vnd.docker.distribution.manifest.v1+prettyjws", ImageJson()},
      {kOci, R"({"schemaVersion":1,"config":)" + Blob('c') + R"(,"layers":[]})"},
      {kOci, R"({"config":)" + Blob('c') + R"(,"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"config":)" + Blob('c') + R"(,"layers":{}})"},
      {kOci, R"({"schemaVersion":2,"config":7,"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"config":{"digest":"md5:00","size":1},"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"config":{"digest":"../../etc","size":1},"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"config":{"digest":")" + DigestOf('c') +
                 R"(","size":-1},"layers":[]})"},
      {kOci, R"({"schemaVersion":2,"config":{"digest":")" + DigestOf('c') + R"("},"layers":[]})"},
      {kOci, "[]"},
      {kOci, ""},
      {kOci, "{"},
      {kOci, "\xff\xfe"},
  };
  for (const auto& [type, body] : table) {
    const auto document = ParseManifest(type, body);
    EXPECT_TRUE(absl::IsInvalidArgument(document.status())) << type << " " << body;
  }
}

TEST(Documents, Sec_D8_SizesAndDepthAreBounded) {
  std::string layers = Blob('1');
  for (size_t i = 1; i < kMaxLayers; ++i) layers += "," + Blob('2');
  const std::string begin = R"({"schemaVersion":2,"config":)" + Blob('c') + R"(,"layers":[)";
  EXPECT_TRUE(ParseManifest(kOci, begin + layers + "]}").ok());
  const auto many = ParseManifest(kOci, begin + layers + "," + Blob('3') + "]}");
  EXPECT_TRUE(absl::IsInvalidArgument(many.status()));
  EXPECT_NE(many.status().message().find("1001"), absl::string_view::npos) << many.status();
  const std::string padding(kMaxManifestBytes, ' ');
  EXPECT_FALSE(ParseManifest(kOci, ImageJson() + padding).ok());
  const std::string deep = std::string(100'000, '[');
  EXPECT_FALSE(ParseManifest(kOci, R"({"schemaVersion":2,"x":)" + deep).ok());
  EXPECT_FALSE(ParseTokenAnswer(deep).ok());
}

TEST(Documents, ChoosesTheImageThatRunsBest) {
  const std::string all =
      absl::StrCat(Entry('1', "linux", "amd64"), ",", Entry('2', "linux", "arm", "v6"), ",",
                   Entry('3', "linux", "arm", "v7"), ",", Entry('4', "linux", "arm64", "v8"), ",",
                   Entry('5', "windows", "amd64"), ",", Entry('6', "unknown", "unknown"));
  EXPECT_EQ(Chosen(all, "linux/amd64"), "1");
  EXPECT_EQ(Chosen(all, "linux/x86_64"), "1");
  EXPECT_EQ(Chosen(all, "linux/arm/v6"), "2");
  EXPECT_EQ(Chosen(all, "linux/arm"), "3");
  EXPECT_EQ(Chosen(all, "linux/arm64"), "4");
  EXPECT_EQ(Chosen(all, "linux/aarch64"), "4");
  EXPECT_EQ(Chosen(all, "windows/amd64"), "5");
  EXPECT_EQ(Chosen(all, "linux/riscv64"), "");
  EXPECT_EQ(Chosen(all, "linux/arm/v5"), "");
  EXPECT_EQ(Chosen(Entry('2', "linux", "arm", "v6"), "linux/arm64"), "2")
      << "an older ARM runs too";
  EXPECT_EQ(Chosen(Entry('1', "linux", "amd64", "v3"), "linux/amd64"), "") << "needs a newer one";
  EXPECT_EQ(Chosen(Blob('1'), "linux/amd64"), "") << "an entry without a platform";
  EXPECT_EQ(Chosen(Entry('1', "windows", "amd64") + "," + Entry('2', "windows", "amd64"),
                   "windows/amd64"),
            "12");
}

TEST(Documents, ForeignLayersAreKnown) {
  Descriptor layer;
  layer.media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  EXPECT_TRUE(IsForeign(layer));
  layer.media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  EXPECT_TRUE(IsForeign(layer));
  layer.media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
  EXPECT_FALSE(IsForeign(layer));
}

TEST(Documents, ReadsTokens) {
  EXPECT_EQ(*ParseTokenAnswer(R"({"token":"a","access_token":"b"})"), "a");
  EXPECT_EQ(*ParseTokenAnswer(R"({"access_token":"b","expires_in":300})"), "b");
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string(R"({"token":7})"), std::string("\"token\""),
        std::string(R"({"token":"a\r\nX-Evil: 1"})"),
        R"({"token":")" + std::string(kMaxTokenBytes + 1, 'a') + "\"}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseTokenAnswer(body).status())) << body.substr(0, 40);
  }
}

TEST(Platform, IsReadAndRefused) {
  EXPECT_EQ(ParsePlatform("linux/arm/v7")->ToString(), "linux/arm/v7");
  EXPECT_EQ(ParsePlatform("linux/x86_64")->ToString(), "linux/amd64");
  for (const std::string& text :
       {std::string(), std::string("linux"), std::string("linux/"), std::string("/amd64"),
        std::string("a/b/"), std::string("a/b/c/d"), std::string("linux/am d64"),
        "linux/" + std::string(200, 'a')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePlatform(text).status())) << text;
  }
  EXPECT_EQ(Fitness(OwnPlatform(), OwnPlatform()),
            Fitness({"linux", "amd64", ""}, {"linux", "amd64", ""}));
}

}  // namespace
}  // namespace dragonfly::common::oci
