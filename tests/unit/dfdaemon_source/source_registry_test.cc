#include "common/status/strings.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/source/testing/fake_source.h"
#include "dfdaemon/source/url_text.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::source {
namespace {

TEST(SourceRegistry, FindsTheSourceOfASchemeWhateverItsCase) {
  SourceRegistry registry;
  auto http = std::make_shared<testing::FakeSource>();
  auto s3 = std::make_shared<testing::FakeSource>();
  registry.Add("http", http);
  registry.Add("https", http);
  registry.Add("s3", s3);
  EXPECT_EQ(registry.Find("HTTPS://example.com/x").value(), http);
  EXPECT_EQ(registry.Find("s3://bucket/key").value(), s3);
}

TEST(SourceRegistry, NamesTheSchemeAndThoseThereAre) {
  SourceRegistry registry;
  registry.Add("http", std::make_shared<testing::FakeSource>());
  const absl::Status status = registry.Find("gopher://user:secret@host/x?sig=abc").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  const std::string text(common::status::MessageOf(status));
  EXPECT_NE(text.find("\"gopher\""), std::string::npos) << text;
  EXPECT_NE(text.find("http"), std::string::npos) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(text.find("abc"), std::string::npos) << text;
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Find("no-scheme").status()));
}

TEST(UrlText, HidesWhatACredentialCouldBe) {
  EXPECT_EQ(PublicUrl("https://u:p@h:1/a/b?X-Amz-Signature=1#f"), "https://h:1/a/b");
  EXPECT_EQ(PublicUrl("https://h/a\r\nInjected: 1"), "https://h/a??Injected: 1");
  EXPECT_EQ(PublicUrl("u:p@h/a?q"), "u:p");  // not a URL; nothing behind the @
}

TEST(UrlText, NamesTheOrigin) {
  EXPECT_EQ(OriginOfUrl("HTTPS://user@Example.COM:443/x"), "https://example.com");
  EXPECT_EQ(OriginOfUrl("http://h:8080?x"), "http://h:8080");
  EXPECT_EQ(OriginOfUrl("http://h:80"), "http://h");
  EXPECT_EQ(OriginOfUrl("https://[::1]:8443/"), "https://[::1]:8443");
  EXPECT_EQ(OriginOfUrl("nothing"), "");
}

}  // namespace
}  // namespace dragonfly::dfdaemon::source
