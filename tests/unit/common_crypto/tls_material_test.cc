#include "common/crypto/tls_material.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"
#include "common/crypto/testing/test_authority.h"
#include "common/crypto/tls_source.h"
#include "common/os/simulated_clock.h"
#include "common/status/reason.h"

namespace dragonfly::common::crypto {
namespace {

using testing::ReplaceFile;
using testing::TestAuthority;

class TlsMaterialTest : public ::testing::Test {
 protected:
  TlsMaterialTest() {
    std::string pattern = ::testing::TempDir() + "/tls-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~TlsMaterialTest() override { std::filesystem::remove_all(folder_); }

  std::string WhyRefused(const TlsFiles& files) {
    const auto loaded = LoadTls(files, "server.tls", absl::Now());
    EXPECT_FALSE(loaded.ok());
    EXPECT_EQ(status::ReasonOf(loaded.status()), status::ErrorReason::kInvalidArgument);
    return loaded.ok() ? "" : std::string(loaded.status().message());
  }
  static void ExpectSays(const std::string& message, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" in: " << message;
    }
  }

  std::string folder_;
  TestAuthority authority_;
};

TEST_F(TlsMaterialTest, ReadsWhatBelongsTogether) {
  const TlsFiles files = authority_.Write(folder_, TestAuthority::Leaf());
  const auto loaded = LoadTls(files, "server.tls", absl::Now());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->fingerprint.size(), 64U);
  EXPECT_GT(loaded->not_after, absl::Now());
  EXPECT_LT(loaded->not_after, absl::Now() + absl::Hours(2));
}

TEST_F(TlsMaterialTest, FollowsLinksAsSecretsAreMounted) {
  std::filesystem::create_directory(folder_ + "/real");
  const TlsFiles real = authority_.Write(folder_ + "/real", TestAuthority::Leaf());
  TlsFiles files = real;
  files.key = folder_ + "/key-link.pem";
  std::filesystem::create_symlink(real.key, files.key);
  EXPECT_TRUE(LoadTls(files, "server.tls", absl::Now()).ok());
}

TEST_F(TlsMaterialTest, NamesKeyPathAndReason) {
  const TlsFiles good = authority_.Write(folder_, TestAuthority::Leaf());

  TlsFiles files = good;
  files.key = folder_ + "/nothing.pem";
  ExpectSays(WhyRefused(files), {"server.tls.key", files.key, "No such file"});

  files = good;
  files.key.clear();
  ExpectSays(WhyRefused(files), {"server.tls.key", "missing"});

  files = good;
  files.cert = folder_ + "/text.pem";
  ReplaceFile(files.cert, "hello\n");
  ExpectSays(WhyRefused(files), {"server.tls.cert", files.cert, "no certificate"});
  ReplaceFile(files.cert, "");
  ExpectSays(WhyRefused(files), {"server.tls.cert", "empty"});

  files = good;
  files.ca_cert = good.key;
  ExpectSays(WhyRefused(files), {"server.tls.caCert", "no certificate"});

  files = good;
  files.key = folder_ + "/other.pem";
  ReplaceFile(files.key, authority_.Issue(TestAuthority::Leaf()).key_pem);
  ExpectSays(WhyRefused(files), {"server.tls.key", "is not the key of", files.cert});

  TestAuthority::Leaf leaf;
  leaf.ends = -absl::Minutes(1);
  ExpectSays(WhyRefused(authority_.Write(folder_, leaf)), {"server.tls.cert", "expired"});
  leaf.begins = absl::Minutes(10);
  leaf.ends = absl::Hours(1);
  ExpectSays(WhyRefused(authority_.Write(folder_, leaf)), {"server.tls.cert", "not valid before"});
  leaf = TestAuthority::Leaf();
  leaf.rsa_bits = 1024;
  ExpectSays(WhyRefused(authority_.Write(folder_, leaf)), {"server.tls.key", "1024 bits"});
}

class TlsSourceTest : public TlsMaterialTest {
 protected:
  void Open() {
    TlsSource::Options options;
    options.files = authority_.Write(folder_, TestAuthority::Leaf());
    options.prefix = "server.tls";
    options.check_interval = absl::Seconds(1);
    // Certificates are of today, and so is the simulated wall clock.
    clock_.SetWall(absl::Now());
    auto source = TlsSource::Open(clock_, options);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
  }
  void Pass(absl::Duration time) { clock_.Advance(time); }

  os::SimulatedClock clock_;
  std::shared_ptr<TlsSource> source_;
};

TEST_F(TlsSourceTest, TakesANewSetWhenItIsWhole) {
  Open();
  const auto before = source_->current();
  const TestAuthority::Pair next = authority_.Issue(TestAuthority::Leaf());
  ReplaceFile(folder_ + "/cert.pem", next.cert_pem);
  EXPECT_EQ(source_->current(), before) << "not looked at in the same second";
  Pass(absl::Seconds(1));
  EXPECT_EQ(source_->current(), before) << "the key is of the old certificate";
  ReplaceFile(folder_ + "/key.pem", next.key_pem);
  Pass(absl::Seconds(1));
  const auto after = source_->current();
  EXPECT_NE(after, before);
  EXPECT_EQ(after->cert_pem, next.cert_pem);
  Pass(absl::Seconds(1));
  EXPECT_EQ(source_->current(), after);
}

TEST_F(TlsSourceTest, KeepsWhatItHasWhenFilesGoAway) {
  Open();
  const auto before = source_->current();
  std::filesystem::remove(folder_ + "/key.pem");
  Pass(absl::Seconds(2));
  EXPECT_EQ(source_->current(), before);
}

}  // namespace
}  // namespace dragonfly::common::crypto
