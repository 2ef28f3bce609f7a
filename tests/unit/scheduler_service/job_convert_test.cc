#include "scheduler/service/job_convert.h"

#include <gtest/gtest.h>

#include "common/id/task_id.h"

namespace dragonfly::scheduler::service {
namespace {

namespace pb = ::scheduler::v2;

TEST(JobConvert, WhatIsNotSetHasItsDefault) {
  pb::PreheatFileRequest request;
  request.set_url("http://origin/file");
  request.set_scope("single_seed_peer");
  const auto preheat = PreheatOf(request);
  ASSERT_TRUE(preheat.ok()) << preheat.status();
  EXPECT_EQ(preheat->scope, job::PreheatScope::kSingleSeedPeer);
  EXPECT_EQ(preheat->concurrent_tasks, 8U);
  EXPECT_EQ(preheat->concurrent_hosts, 500U);
  EXPECT_FALSE(preheat->count.has_value());
  EXPECT_FALSE(preheat->percentage.has_value());
  EXPECT_FALSE(preheat->piece_length.has_value());
  EXPECT_EQ(preheat->filtered_query_params, common::id::DefaultFilteredQueryParams());
  EXPECT_FALSE(preheat->origin.object_storage.has_value());
  EXPECT_FALSE(preheat->origin.hdfs_delegation_token.has_value());
  EXPECT_EQ(JobTimeout(request.has_timeout(), request.timeout()), absl::Hours(1));
  request.mutable_timeout();
  EXPECT_EQ(JobTimeout(request.has_timeout(), request.timeout()), absl::Hours(1)) << "zero too";
  request.mutable_timeout()->set_seconds(1);
  request.mutable_timeout()->set_nanos(500'000'000);
  EXPECT_EQ(JobTimeout(request.has_timeout(), request.timeout()), absl::Milliseconds(1500));
}

TEST(JobConvert, WhatIsSetIsTaken) {
  pb::PreheatFileRequest request;
  request.set_url("http://origin/file");
  request.set_scope("all_peers");
  request.set_tag("tag");
  request.set_application("app");
  request.add_filtered_query_params("a");
  (*request.mutable_header())["X-Kind"] = "k";
  request.add_ips("10.0.0.1");
  request.set_percentage(50);
  request.set_count(3);
  request.set_concurrent_task_count(2);
  request.set_concurrent_peer_count(4);
  request.set_priority(::common::v2::LEVEL3);
  request.mutable_hdfs();
  request.mutable_object_storage()->set_access_key_secret("secret");
  request.mutable_object_storage()->set_insecure_skip_verify(true);
  const auto preheat = PreheatOf(request);
  ASSERT_TRUE(preheat.ok()) << preheat.status();
  EXPECT_EQ(preheat->scope, job::PreheatScope::kAllPeers);
  EXPECT_EQ(preheat->tag, "tag");
  EXPECT_EQ(preheat->filtered_query_params, (std::vector<std::string>{"a"}));
  EXPECT_EQ(preheat->origin.headers.at("X-Kind"), "k");
  EXPECT_EQ(preheat->ips, (std::vector<std::string>{"10.0.0.1"}));
  EXPECT_EQ(preheat->percentage, 50U);
  EXPECT_EQ(preheat->count, 3U);
  EXPECT_EQ(preheat->concurrent_tasks, 2U);
  EXPECT_EQ(preheat->concurrent_hosts, 4U);
  EXPECT_EQ(preheat->priority, 3);
  EXPECT_EQ(preheat->origin.hdfs_delegation_token, "") << "HDFS without a token";
  EXPECT_EQ(preheat->origin.object_storage->access_key_secret, "secret");
  EXPECT_EQ(preheat->origin.object_storage->insecure_skip_verify, true);
}

TEST(JobConvert, ImagesAreNamedByManifestAndPlatform) {
  pb::PreheatImageRequest request;
  request.set_url("https://registry.example/v2/a/manifests/tag");
  request.set_username("me");
  request.set_password("secret");
  request.set_insecure_skip_verify(true);
  const auto image = ImageRequestOf(request);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->reference.ToString(), "registry.example/a:tag");
  EXPECT_EQ(image->platform, common::oci::OwnPlatform());
  EXPECT_EQ(image->username, "me");
  EXPECT_TRUE(image->tls.insecure_skip_verify);
  request.set_platform("linux/arm64");
  EXPECT_EQ(ImageRequestOf(request)->platform.ToString(), "linux/arm64/v8");
  request.set_url("https://registry.example/a:tag");
  EXPECT_TRUE(absl::IsInvalidArgument(ImageRequestOf(request).status()));
}

TEST(JobConvert, CertificatesHaveToBeSome) {
  pb::StatFileRequest request;
  request.add_certificate_chain("canary");
  const auto naming = NamingOf(request);
  EXPECT_TRUE(absl::IsInvalidArgument(naming.status()));
  EXPECT_EQ(naming.status().message().find("canary"), absl::string_view::npos);
}

}  // namespace
}  // namespace dragonfly::scheduler::service
