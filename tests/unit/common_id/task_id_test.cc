#include "common/id/task_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/digest/hasher.h"
#include "common/id/names.h"
#include "common/os/simulated_env.h"
#include "common/status/reason.h"

namespace dragonfly::common::id {
namespace {

std::string Id(const StandardTask& task) {
  const auto key = StandardTaskKey(task);
  if (!key.ok()) return key.status().ToString();
  EXPECT_EQ(key->kind, TaskKind::kStandard);
  EXPECT_TRUE(IsTaskId(key->id));
  return key->id;
}

// Vectors of docs/reference/ids.md: made by upstream's code or equal to upstream's own tests.
TEST(StandardTaskKeyTest, Vectors) {
  EXPECT_EQ(Id({.url = "https://example.com/file"}),
            "c21c1f0e6c3edd83a1090c42d74bf915a8d139cf32d2a7961c687a6ff0d72b0d");
  EXPECT_EQ(Id({.url = "https://example.com",
                .tag = "foo",
                .application = "bar",
                .revision = "v1.0",
                .piece_length = 1024}),
            "5844f27a257287e9b734256bb25603d8005422ced8c0377f15063ec11963b25f");
  EXPECT_EQ(Id({.url = "https://example.com", .tag = "foo", .application = "bar"}),
            "06408fbf247ddaca478f8cb9565fe5591c28efd0994b8fea80a6a87d3203c5ca");
  EXPECT_EQ(
      Id({.url = "https://example.com?foo=foo&bar=bar", .filtered_query_params = {"foo", "bar"}}),
      "457b4328cde278e422c9e243f7bfd1e97f511fec43a80f535cf6b0ef6b086776");
  EXPECT_EQ(Id({.url = "https://example.com", .piece_length = 1024}),
            "9f7c9aafbc6f30f8f41a96ca77eeae80c5b60964b3034b0ee43ccf7b2f9e52b8");
  EXPECT_EQ(Id({.url = "https://example.com", .revision = "v1.0"}),
            "b171331534b80e0bf91da38ebbfcdbf4d177898f4b9beac44f14733e3f004d4e");
  EXPECT_EQ(Id({.url = "http://example.com/xyz?a=1&b=2",
                .tag = "d7y",
                .application = "curl",
                .piece_length = 4194304}),
            "8f57a93b661b115e7f63d4706c7af2fe549dcff074008a3aeaf70a1f939f60d8");
  EXPECT_EQ(Id({.url = "https://example.com/a?b=1&a=2"}),
            "ea943ea0c06b77e38c3506a8f098293597d7e03fe9e179e7253ef0a9e55498f0");
  EXPECT_EQ(Id({.url = "https://example.com/a?q=x%20y"}),
            "c704bf93aad6dbb81c0ba4e864658d9e1cb3d40b2ca59e921bee3150a044c728");
  EXPECT_EQ(Id({.url = "hf://owner/model/file.bin",
                .tag = "tag",
                .application = "app",
                .revision = "main"}),
            "b3d4bd5a152bd8148585683b2de352779119736ac00d6b367318f229a71db383");
  EXPECT_EQ(
      Id({.url = "https://anything", .content_for_calculating_task_id = "This is a test file"}),
      "e2d0fe1585a63ec6009c8016ff8dda8b17719a637405a4e23c0ff81339148249");
}

TEST(StandardTaskKeyTest, TheSlashOfARootDoesNotMatter) {
  EXPECT_EQ(Id({.url = "https://example.com/"}), Id({.url = "https://EXAMPLE.com:443"}));
}

TEST(StandardTaskKeyTest, AnUnreadableUrlIsAnError) {
  EXPECT_EQ(StandardTaskKey({.url = "not a url"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

const std::string kHex64 = "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef";

TEST(BlobDigestTest, TheDigestOfABlobIsItsId) {
  for (const std::string& url :
       {"https://registry.example/v2/myorg/myrepo/blobs/sha256:" + kHex64,
        "http://other:5000/v2/a/blobs/sha256:" + kHex64 + "?ns=docker.io&x=/y",
        "https://h/v2/blobs/x/blobs/sha256:" + kHex64}) {
    EXPECT_EQ(Id({.url = url, .enable_task_id_based_blob_digest = true}), kHex64) << url;
    EXPECT_NE(Id({.url = url}), kHex64) << "only when enabled";
  }
}

TEST(BlobDigestTest, OtherLengthsAreHashedDownTo64Characters) {
  const std::string sha512 = "sha512:" + kHex64 + kHex64;
  EXPECT_EQ(Id({.url = "https://h/v2/r/blobs/" + sha512, .enable_task_id_based_blob_digest = true}),
            digest::Sha256Hex(sha512));
  EXPECT_EQ(Id({.url = "https://h/v2/r/blobs/crc32:3421780262",
                .enable_task_id_based_blob_digest = true}),
            digest::Sha256Hex("crc32:3421780262"));
}

TEST(BlobDigestTest, ABadDigestIsAnErrorAndAnotherShapeIsAnOrdinaryUrl) {
  for (const char* name :
       {"sha256:12", "sha256", "sha256:", "md5:900150983cd24fb0d6963f7d28e17f72"}) {
    const std::string url = std::string("https://h/v2/r/blobs/") + name;
    EXPECT_FALSE(StandardTaskKey({.url = url, .enable_task_id_based_blob_digest = true}).ok())
        << name;
  }
  for (const char* url : {"https://h/v2/r/manifests/latest", "https://h/v2/r/blobs/",
                          "https://h/blobs/x", "https://h/v2/blobs/?x"}) {
    EXPECT_FALSE(BlobDigestOf(url).has_value()) << url;
    EXPECT_EQ(Id({.url = url, .enable_task_id_based_blob_digest = true}), Id({.url = url})) << url;
  }
}

TEST(PersistentTaskKeyTest, Vectors) {
  const auto a = PersistentTaskKey("s3://bucket/key", "us-east-1", "https://s3.example.com");
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(a->id, "0c558e8d5d6e1996e124b2249dcd012b8b974fcfa783e79896c894fb9f87ebf1");
  EXPECT_EQ(a->kind, TaskKind::kPersistent);
  EXPECT_EQ(
      PersistentTaskKey("my-object-key", "us-west-1", "https://s3.us-west-1.amazonaws.com")->id,
      "b51f4f44921bb585277a5cbac13e7f6e2858238e98546f3ee6bfeb56369979c0");
  EXPECT_FALSE(PersistentTaskKey("s3://bucket/key", "", "https://s3.example.com").ok());
  EXPECT_FALSE(PersistentTaskKey("s3://bucket/key", "us-east-1", "").ok());
}

std::string CacheId(std::string_view content, std::optional<std::string_view> tag,
                    std::optional<std::string_view> application,
                    std::optional<uint64_t> piece_length) {
  auto builder = PersistentCacheKeyBuilder::Create();
  EXPECT_TRUE(builder.ok());
  builder->Update(content.substr(0, 3));
  builder->Update(content.substr(3));
  const TaskKey key = builder->Finish(tag, application, piece_length);
  EXPECT_EQ(key.kind, TaskKind::kPersistentCache);
  return key.id;
}

TEST(PersistentCacheTaskKeyTest, Vectors) {
  EXPECT_EQ(CacheId("hello world\n", "d7y", "dfcache", 4194304),
            "11c486cff11d7f34d6360547570dd9846d9cb4a2c3128815a673cb451d99512e");
  EXPECT_EQ(CacheId("This is a test file", "tag1", "app1", 1024),
            "7160a071a9acea5ac341e770c14d0211c38a4b15b3bbe2c5f848a706fd47419e");
  EXPECT_EQ(CacheId("This is a test file", "tag1", std::nullopt, std::nullopt),
            "a98b76813681e30cf83733fe055792b86393bba6f18e3d89fd8c18253922d992");
  EXPECT_EQ(PersistentCacheKeyBuilder::FromContent("This is a test file").id,
            "e2d0fe1585a63ec6009c8016ff8dda8b17719a637405a4e23c0ff81339148249");
}

TEST(TaskKeyTest, EqualIdsOfDifferentKindsAreDifferentTasks) {
  std::set<TaskKey> keys;
  for (const TaskKind kind : kAllTaskKinds) keys.insert({kind, kHex64});
  EXPECT_EQ(keys.size(), 3U);
  EXPECT_EQ(ToString(TaskKey{TaskKind::kPersistentCache, "ab"}), "persistent-cache/ab");
}

TEST(TaskIdTest, Is64LowerCaseHexadecimalCharacters) {
  EXPECT_TRUE(IsTaskId(kHex64));
  EXPECT_FALSE(IsTaskId(kHex64.substr(1)));
  EXPECT_FALSE(IsTaskId(kHex64 + "0"));
  EXPECT_FALSE(IsTaskId("A" + kHex64.substr(1)));
  EXPECT_FALSE(IsTaskId("../" + kHex64.substr(3)));
}

TEST(FilteredQueryParamsTest, TheDefaultListHasEveryNameOnce) {
  const auto& names = DefaultFilteredQueryParams();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names.size(), 30U);
  EXPECT_EQ(names.front(), "X-Amz-Algorithm");
  EXPECT_EQ(names.back(), "ns");
}

TEST(NamesTest, HostPeerAndPieceIds) {
  os::SimulatedEnv env;
  EXPECT_EQ(MakeHostId("10.0.0.1", "node-1", false), "10.0.0.1-node-1");
  EXPECT_EQ(MakeHostId("fd00::1", "node-1", true), "fd00::1-node-1-seed");
  const std::string peer = MakePeerId("10.0.0.1", "node", false, env);
  EXPECT_TRUE(peer.starts_with("10.0.0.1-node-"));
  EXPECT_TRUE(IsUuid(peer.substr(14))) << peer;
  const std::string seed = MakePeerId("10.0.0.1", "node", true, env);
  EXPECT_TRUE(seed.ends_with("-seed"));
  EXPECT_NE(peer, seed);
  EXPECT_EQ(MakePieceId("abc", 7), "abc-7");
}

TEST(NamesTest, UuidsAreVersion4AndDiffer) {
  os::SimulatedEnv env;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = MakeUuid(env);
    EXPECT_TRUE(IsUuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos);
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_FALSE(IsUuid("00000000-0000-4000-8000-00000000000"));
  EXPECT_FALSE(IsUuid("00000000x0000-4000-8000-000000000000"));
}

}  // namespace
}  // namespace dragonfly::common::id
