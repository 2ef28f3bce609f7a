#include "common/oci/reference.h"

#include <gtest/gtest.h>

#include <string>

namespace dragonfly::common::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Reference, ReadsManifestUrls) {
  const auto tag =
      ParseManifestUrl("https://registry.example:5000/v2/library/nginx/manifests/1.25");
  ASSERT_TRUE(tag.ok()) << tag.status();
  EXPECT_EQ(tag->registry, "registry.example:5000");
  EXPECT_EQ(tag->repository, "library/nginx");
  EXPECT_EQ(tag->manifest, "1.25");
  EXPECT_FALSE(tag->by_digest());
  EXPECT_EQ(tag->ManifestUrl(), "https://registry.example:5000/v2/library/nginx/manifests/1.25");
  EXPECT_EQ(tag->BlobUrl(kDigest),
            "https://registry.example:5000/v2/library/nginx/blobs/" + kDigest);
  EXPECT_EQ(tag->ToString(), "registry.example:5000/library/nginx:1.25");

  const auto digest =
      ParseManifestUrl("http://[::1]:80/v2/a/manifests/" + kDigest + "?ns=docker.io");
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(digest->scheme, "http");
  EXPECT_EQ(digest->registry, "[::1]:80");
  EXPECT_TRUE(digest->by_digest());
  EXPECT_EQ(digest->manifest, kDigest);
  EXPECT_EQ(digest->ToString(), "[::1]:80/a@" + kDigest);

  // A repository may be called so.
  const auto odd = ParseManifestUrl("https://r/v2/manifests/manifests/manifests/x");
  ASSERT_TRUE(odd.ok()) << odd.status();
  EXPECT_EQ(odd->repository, "manifests/manifests");
}

TEST(Reference, Sec_RefusesWhatIsNoManifestUrlAndShowsNoSecrets) {
  for (const char* url :
       {"", "nginx", "ftp://r/v2/a/manifests/x", "https://r/v2/a/blobs/x",
        "https://r/v1/a/manifests/x", "https://r/v2/manifests/x", "https://r/v2/a/manifests/",
        "https://r/v2/A/manifests/x", "https://r/v2/a/../b/manifests/x",
        "https://r/v2/a//b/manifests/x", "https://r/v2/a/manifests/.x",
        "https://r/v2/a/manifests/x y", "https://r/v2/a/manifests/sha256:12",
        "https://r/v2/a/manifests/x/y", "https://r/v2/-a/manifests/x",
        "https://r/v2/a-/manifests/x", "https://user:canary@r/v2/a/manifests/!?token=canary"}) {
    const auto parsed = ParseManifestUrl(url);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << url;
    EXPECT_EQ(parsed.status().message().find("canary"), absl::string_view::npos) << parsed.status();
  }
  // Credentials in the URL are no part of the registry's name.
  const auto parsed = ParseManifestUrl("https://user:canary@r:1/v2/a/manifests/x");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->registry, "r:1");
}

TEST(Reference, ReadsTheNamesThatContainerToolsTake) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"nginx", "registry-1.docker.io/library/nginx:latest"},
      {"nginx:1.25", "registry-1.docker.io/library/nginx:1.25"},
      {"user/app", "registry-1.docker.io/user/app:latest"},
      {"docker.io/nginx", "registry-1.docker.io/library/nginx:latest"},
      {"docker.io/user/app:v1", "registry-1.docker.io/user/app:v1"},
      {"ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"},
      {"localhost/a", "localhost/a:latest"},
      {"registry:5000/a:b", "registry:5000/a:b"},
      {"quay.io/a__b/c--d@" + kDigest, "quay.io/a__b/c--d@" + kDigest},
      {"quay.io/a:tag@" + kDigest, "quay.io/a@" + kDigest},
  };
  for (const auto& [name, full] : table) {
    const auto parsed = ParseImageName(name);
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status();
    EXPECT_EQ(parsed->ToString(), full);
    EXPECT_EQ(parsed->scheme, "https");
    const auto again = ParseManifestUrl(parsed->ManifestUrl());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *parsed);
  }
  for (const char* name :
       {"", ":", "@", "a@b", "A", "a:", "a/", "/a", "a b", "r:99999/a", "a:b:c"}) {
    EXPECT_FALSE(ParseImageName(name).ok()) << name;
  }
  for (const char* registry :
       {"quay.io?a", "quay.io#a", "user@quay.io", "quay.io\\evil.io", "a b.io"}) {
    const auto parsed = ParseImageName(std::string(registry) + "/a@" + kDigest);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << registry;
  }
}

}  // namespace
}  // namespace dragonfly::common::oci
