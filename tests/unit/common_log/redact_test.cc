#include "common/log/redact.h"

#include <gtest/gtest.h>

namespace dragonfly::common::log {
namespace {

TEST(RedactTest, SecretNames) {
  for (const char* name : {"Authorization",
                           "proxy-authorization",
                           "Cookie",
                           "Set-Cookie",
                           "X-Amz-Signature",
                           "X-Amz-Date",
                           "X-Goog-Credential",
                           "AccessKeyId",
                           "OSSAccessKeyId",
                           "access_key_secret",
                           "SecurityToken",
                           "Signature",
                           "q-signature",
                           "x-cos-security-token",
                           "access_token",
                           "sessionToken",
                           "password",
                           "X-Dragonfly-Token",
                           "sig",
                           "api_key"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name :
       {"", "Range", "task", "Content-Type", "url", "ns", "Expires", "author", "design"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

TEST(RedactTest, Urls) {
  EXPECT_EQ(RedactUrl("https://u:p@h:1/a?b=1"), "https://***@h:1/a?b=1");
  EXPECT_EQ(RedactUrl("https://h/a@b"), "https://h/a@b");
  EXPECT_EQ(RedactUrl("https://u:p/w@h"), "https://u:p/w@h") << "the @ is in the path";
  EXPECT_EQ(RedactUrl("https://a:b@c@h/"), "https://***@h/");
  EXPECT_EQ(RedactUrl("https://h?Signature=x&Expires=1#f"), "https://h?Signature=***&Expires=1#f");
  EXPECT_EQ(RedactUrl("https://h/?token="), "https://h/?token=***");
  EXPECT_EQ(RedactUrl("plain text"), "plain text");
}

TEST(RedactTest, Texts) {
  EXPECT_EQ(RedactText("GET https://u:p@h/ failed, then http://h/?access_token=abc too"),
            "GET https://***@h/ failed, then http://h/?access_token=*** too");
  EXPECT_EQ(RedactText("Authorization: Bearer abc.def"), "Authorization: ***");
  EXPECT_EQ(RedactText("sent bearer abcdefghijk and left"), "sent bearer *** and left");
  EXPECT_EQ(RedactText("basic auth is on"), "basic auth is on");
  EXPECT_EQ(RedactText("password=hunter2&user=x"), "password=***&user=x");
  EXPECT_EQ(RedactText(R"({"access_key_secret":"abc","region":"x"})"),
            R"({"access_key_secret":"***","region":"x"})");
  EXPECT_EQ(RedactText("nothing to hide: 1 = 1"), "nothing to hide: 1 = 1");
  EXPECT_EQ(RedactText("://"), "://");
  EXPECT_EQ(RedactText(""), "");
}

}  // namespace
}  // namespace dragonfly::common::log
