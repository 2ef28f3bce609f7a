#include "common/net/listening_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "common/status/reason.h"

namespace dragonfly::common::net {
namespace {

Endpoint At(const char* ip, uint16_t port) { return {*IpAddress::Parse(ip), port}; }

TEST(ListenTcpTest, TheKernelChoosesAPortAndASecondOneIsRefusedWithTheRemedy) {
  auto first = ListenTcp(At("127.0.0.1", 0), 16);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_NE(first->endpoint.port, 0);
  const auto second = ListenTcp(first->endpoint, 16);
  ASSERT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_EQ(status::ReasonOf(second.status()), status::ErrorReason::kConflict);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(first->endpoint.ToString()), std::string::npos) << message;
  EXPECT_NE(message.find("choose another port"), std::string::npos) << message;
  first->fd.Reset();
  EXPECT_TRUE(ListenTcp(first->endpoint, 16).ok()) << "free again";
}

TEST(ListenTcpTest, AnAddressOfAnotherHostIsRefusedWithTheRemedy) {
  const auto other = ListenTcp(At("192.0.2.1", 0), 16);
  ASSERT_TRUE(absl::IsFailedPrecondition(other.status())) << other.status();
  EXPECT_NE(other.status().message().find("address of this host"), absl::string_view::npos);
}

TEST(EndpointOfTest, AMappedIpv4AddressIsItself) {
  const auto of = [](const char* ip) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(8002);
    EXPECT_EQ(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
    sockaddr_storage storage{};
    std::memcpy(&storage, &v6, sizeof(v6));
    return EndpointOf(storage);
  };
  EXPECT_EQ(of("::ffff:10.0.0.7"), At("10.0.0.7", 8002));
  EXPECT_EQ(of("fd00::7"), At("fd00::7", 8002));
}

}  // namespace
}  // namespace dragonfly::common::net
