#include "manager/service/identity.h"

#include <gtest/gtest.h>

namespace dragonfly::manager::service {
namespace {

CallerIdentity With(std::vector<std::string> names) { return {true, std::move(names)}; }

TEST(Identity, WithoutACertificateEverybodyIsAnybody) {
  EXPECT_TRUE(MaySpeakFor({}, "s1", "10.0.0.1").ok());
}

TEST(Identity, AddressesInACertificateHaveToIncludeTheOneThatIsClaimed) {
  const CallerIdentity caller = With({"s1", "10.0.0.1", "fd00::1"});
  EXPECT_TRUE(MaySpeakFor(caller, "s1", "10.0.0.1").ok());
  EXPECT_TRUE(MaySpeakFor(caller, "other", "10.0.0.1").ok()) << "it may have several names";
  EXPECT_TRUE(MaySpeakFor(caller, "s1", "fd00:0:0::1").ok());
  const absl::Status denied = MaySpeakFor(caller, "s1", "10.0.0.2");
  EXPECT_TRUE(absl::IsPermissionDenied(denied));
  EXPECT_NE(std::string(denied.message()).find("10.0.0.2"), std::string::npos) << denied;
}

TEST(Identity, ACertificateWithoutAddressesHasToNameTheHost) {
  const CallerIdentity caller = With({"S1", "*.cluster.local"});
  EXPECT_TRUE(MaySpeakFor(caller, "s1", "10.0.0.1").ok());
  EXPECT_TRUE(MaySpeakFor(caller, "s-2.cluster.local", "10.0.0.1").ok());
  for (const char* host : {"s2", "cluster.local", ".cluster.local", "a.b.cluster.local", ""})
    EXPECT_TRUE(absl::IsPermissionDenied(MaySpeakFor(caller, host, "10.0.0.1"))) << host;
  EXPECT_TRUE(absl::IsPermissionDenied(MaySpeakFor(With({}), "s1", "10.0.0.1")));
}

TEST(Identity, WhereNoAddressIsClaimedTheNameDecides) {
  EXPECT_TRUE(MaySpeakFor(With({"s1", "10.0.0.1"}), "s1", "").ok());
  EXPECT_TRUE(absl::IsPermissionDenied(MaySpeakFor(With({"s1", "10.0.0.1"}), "s2", "")));
  EXPECT_TRUE(absl::IsPermissionDenied(MaySpeakFor(With({"10.0.0.1"}), "s1", "")));
}

}  // namespace
}  // namespace dragonfly::manager::service
