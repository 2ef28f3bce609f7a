#include "common/rpc/call_gate.h"

#include <gtest/gtest.h>

#include <string>

#include "common/status/reason.h"
#include "common/telemetry/metrics.h"

namespace dragonfly::common::rpc {
namespace {

class StoppedClock final : public os::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'000'000); }
  absl::Time WallNow() const override { return Now(); }
};

TEST(CallGateTest, Sec_AFloodIsRefusedByNameAndOthersAreServed) {
  const StoppedClock clock;
  telemetry::Registry registry;
  limit::LimitReport report(registry, "dragonfly_test", clock, [](const auto&) {});
  CallGate gate({10, "upload.server.requestRateLimit", "gRPC"}, clock, &report);

  int refused = 0;
  absl::Status last;
  for (int i = 0; i < 100; ++i) {
    const absl::Status admitted = gate.Admit("ipv4:10.0.0.1:4000" + std::to_string(i % 10));
    if (admitted.ok()) continue;
    ++refused;
    last = admitted;
  }
  EXPECT_GE(refused, 90);
  EXPECT_EQ(report.Count(limit::Limit::kRate), refused);
  EXPECT_EQ(last.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::ReasonOf(last), status::ErrorReason::kOverloaded);
  EXPECT_NE(last.message().find("upload.server.requestRateLimit"), absl::string_view::npos);
  EXPECT_TRUE(gate.Admit("ipv4:10.0.0.2:40001").ok());
}

TEST(CallGateTest, ARateBelowOneIsOneNotNone) {
  const StoppedClock clock;
  CallGate gate({0.2, "key", "gRPC"}, clock, nullptr);
  EXPECT_TRUE(gate.Admit("ipv4:10.0.0.1:1").ok());
  EXPECT_FALSE(gate.Admit("ipv4:10.0.0.1:1").ok());
}

}  // namespace
}  // namespace dragonfly::common::rpc
