#include "dfdaemon/node/dial_guard.h"

#include "common/status/reason.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::net::EgressPolicy;
using common::net::Endpoint;
using common::net::IpAddress;
using common::status::ErrorReason;
using common::status::ReasonOf;

Endpoint At(uint32_t host, uint16_t port = 4000) {
  Endpoint endpoint;
  endpoint.ip = IpAddress::V4({10, static_cast<uint8_t>(host >> 16),
                               static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)});
  endpoint.port = port;
  return endpoint;
}

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
const EgressPolicy& Policy() {
  static const EgressPolicy* const policy = new EgressPolicy(EgressPolicy::Options());
  return *policy;
}

TEST(DialGuard, Sec_D3_RefusesItselfAndWhatThePolicyRefuses) {
  DialGuard::Options options;
  options.own = {At(1, 4000)};
  DialGuard guard(Policy(), options);
  EXPECT_EQ(ReasonOf(guard.Admit(At(1, 4000), kStart)), ErrorReason::kForbidden);
  EXPECT_TRUE(guard.Admit(At(1, 4005), kStart).ok());
  for (const char* address : {"127.0.0.1:22", "169.254.169.254:80", "[::1]:22", "0.0.0.0:1"}) {
    EXPECT_EQ(ReasonOf(guard.Admit(*Endpoint::Parse(address), kStart)), ErrorReason::kForbidden)
        << address;
  }
}

TEST(DialGuard, Sec_D3_CapsDialsHoweverManyTargetsAreNamed) {
  DialGuard::Options options;
  options.unproven_burst = 100;
  options.unproven_per_second = 10;
  options.max_targets = 1000;
  DialGuard guard(Policy(), options);
  int dialled = 0;
  for (uint32_t i = 0; i < 10'000; ++i) dialled += guard.Admit(At(i), kStart).ok() ? 1 : 0;
  EXPECT_EQ(dialled, 100);
  EXPECT_EQ(ReasonOf(guard.Admit(At(20'000), kStart)), ErrorReason::kOverloaded);
  for (uint32_t i = 0; i < 10'000; ++i) {
    dialled += guard.Admit(At(i), kStart + absl::Seconds(2)).ok() ? 1 : 0;
  }
  EXPECT_EQ(dialled, 120);
}

TEST(DialGuard, DoesNotCountPeersThatWereReached) {
  DialGuard::Options options;
  options.unproven_burst = 1;
  options.unproven_per_second = 0;
  DialGuard guard(Policy(), options);
  ASSERT_TRUE(guard.Admit(At(1), kStart).ok());
  guard.Reached(At(1));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(guard.Admit(At(1), kStart).ok());
  EXPECT_FALSE(guard.Admit(At(2), kStart).ok());
}

// A piece port that serves a thousand small tasks is one target.
TEST(DialGuard, CountsATargetThatWasAdmittedOnceInAWhile) {
  DialGuard::Options options;
  options.unproven_burst = 2;
  options.unproven_per_second = 0;
  DialGuard guard(Policy(), options);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(guard.Admit(At(1), kStart + absl::Milliseconds(i)).ok());
  }
  EXPECT_TRUE(guard.Admit(At(2), kStart).ok());
  EXPECT_FALSE(guard.Admit(At(3), kStart).ok());
  EXPECT_FALSE(guard.Admit(At(1), kStart + absl::Minutes(1)).ok()) << "after a while it is new";
}

TEST(DialGuard, LeavesAFailingTargetAloneForAGrowingWhile) {
  DialGuard guard(Policy(), DialGuard::Options());
  absl::Time now = kStart;
  absl::Duration longest;
  for (int failure = 1; failure <= 12; ++failure) {
    guard.Failed(At(1), now);
    EXPECT_FALSE(guard.Admit(At(1), now).ok());
    EXPECT_FALSE(guard.Admit(At(1), now + absl::Milliseconds(400)).ok()) << failure;
    absl::Duration waited;
    while (!guard.Admit(At(1), now + waited).ok()) waited += absl::Milliseconds(100);
    EXPECT_LE(waited, absl::Minutes(1.6));
    longest = std::max(longest, waited);
    now += waited;
  }
  EXPECT_GE(longest, absl::Seconds(30));
  EXPECT_TRUE(guard.Admit(At(2), now).ok());
  guard.Reached(At(1));
  EXPECT_TRUE(guard.Admit(At(1), now).ok());
}

TEST(DialGuard, RemembersABoundedNumberOfTargets) {
  DialGuard::Options options;
  options.max_targets = 10;
  DialGuard guard(Policy(), options);
  guard.Failed(At(1), kStart);
  EXPECT_FALSE(guard.Admit(At(1), kStart).ok());
  for (uint32_t i = 100; i < 110; ++i) guard.Reached(At(i));
  EXPECT_TRUE(guard.Admit(At(1), kStart).ok());  // forgotten
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
