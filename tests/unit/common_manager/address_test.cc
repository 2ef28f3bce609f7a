#include "common/manager/address.h"

#include <gtest/gtest.h>

#include "common/status/strings.h"

namespace dragonfly::common::manager {
namespace {

using Scheme = Address::Scheme;

TEST(ManagerAddress, TakesWhatTheConfigurationsOfBothProgramsWrite) {
  struct Case {
    const char* text;
    const char* target;
    Scheme scheme;
  };
  for (const Case& each :
       {Case{"manager:65003", "manager:65003", Scheme::kNone},
        Case{"10.0.0.1:8080", "10.0.0.1:8080", Scheme::kNone},
        Case{"[fd00::1]:65003", "[fd00::1]:65003", Scheme::kNone},
        Case{"http://manager.example.com:65003", "manager.example.com:65003", Scheme::kHttp},
        Case{"https://[fd00::1]:1/", "[fd00::1]:1", Scheme::kHttps},
        Case{"http://manager", "manager:65003", Scheme::kHttp},
        Case{"[fd00::1]", "[fd00::1]:65003", Scheme::kNone}}) {
    const auto address = ParseAddress(each.text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->target, each.target) << each.text;
    EXPECT_EQ(address->scheme, each.scheme) << each.text;
  }
}

TEST(ManagerAddress, RefusesTheRestAndShowsAnExample) {
  for (const char* text :
       {"", "http://", "ftp://manager:1", "manager:", "manager:0", "manager:65536", "manager:x",
        "http://manager:65003/path", "fd00::1", "[fd00::1", "[10.0.0.1]:1", "[fd00::1]x:1",
        "user@manager:1", "unix:/run/manager.sock", "dns:///manager:1", "manager 1:2", "a,b:1",
        "manager:1/"}) {
    const auto address = ParseAddress(text);
    ASSERT_TRUE(absl::IsInvalidArgument(address.status())) << text;
    const std::string message(status::MessageOf(address.status()));
    EXPECT_NE(message.find("manager.addr"), std::string::npos) << message;
    EXPECT_NE(message.find("http://manager.example.com:65003"), std::string::npos) << message;
  }
}

TEST(ManagerAddress, Sec_SchemeAndKeysSayTheSame) {
  Address address;
  address.scheme = Scheme::kHttps;
  EXPECT_TRUE(CheckScheme(address, true, "manager").ok());
  EXPECT_FALSE(CheckScheme(address, false, "manager").ok());
  address.scheme = Scheme::kHttp;
  EXPECT_TRUE(CheckScheme(address, false, "manager").ok());
  const absl::Status status = CheckScheme(address, true, "manager.tls");
  EXPECT_NE(status::MessageOf(status).find("manager.tls.caCert"), std::string::npos) << status;
  address.scheme = Scheme::kNone;
  EXPECT_TRUE(CheckScheme(address, true, "manager").ok());
  EXPECT_TRUE(CheckScheme(address, false, "manager").ok());
}

}  // namespace
}  // namespace dragonfly::common::manager
