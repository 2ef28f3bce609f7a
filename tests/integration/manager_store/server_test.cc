// What needs a server of its own: one that dies, and ones that speak TLS or do not.

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include <filesystem>

#include "manager/store/models/people.h"
#include "manager/store/repository.h"
#include "manager/store/store.h"
#include "tests/integration/manager_store/database.h"
#include "tests/testing/process.h"
#include "tests/unit/common_http/fake_origin.h"

namespace dragonfly::manager::store {
namespace {

models::Oauth Row(int number) {
  models::Oauth row;
  row.name = "n" + std::to_string(number);
  row.client_id = "c" + std::to_string(number);
  return row;
}

TEST(MariaDbRestart, AStoreGoesOnWithTheServerThatCameBack) {
  tests::testing::MariaDb server;
  sql::MysqlOptions options = NewDatabase(server);
  options.connect_timeout = absl::Seconds(2);
  auto dialect = sql::MakeMysqlDialect(options);
  ASSERT_TRUE(dialect.ok()) << dialect.status();
  const auto store = Store::Open(*std::move(dialect), {});
  ASSERT_TRUE(store.ok()) << store.status();
  Repository<models::Oauth> rows(**store);
  ASSERT_TRUE(rows.Insert(Row(1)).ok());
  server.Kill();
  EXPECT_TRUE(absl::IsUnavailable(rows.Get(1).status())) << rows.Get(1).status();
  EXPECT_TRUE(absl::IsUnavailable(rows.Insert(Row(2)).status()));
  EXPECT_TRUE(absl::IsUnavailable((*store)->Ping()));
  ASSERT_TRUE(server.Start()) << server.error();
  EXPECT_TRUE(rows.Insert(Row(3)).ok());
  EXPECT_EQ(rows.List({}, {1, 10})->total, 2U) << "what was kept, and what came later";

  // Connections that are idle do not know yet that their server was another one.
  server.Kill();
  ASSERT_TRUE(server.Start()) << server.error();
  EXPECT_TRUE(rows.Insert(Row(4)).ok()) << "without an error that anybody sees";
  EXPECT_EQ(rows.List({}, {1, 10})->total, 3U);
}

std::string KeyPem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

class MariaDbTls : public ::testing::Test {
 protected:
  MariaDbTls() {
    char name[] = "/tmp/dragonfly-tls-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~MariaDbTls() override { std::filesystem::remove_all(folder_); }
  std::string File(const std::string& name, const std::string& text) {
    tests::testing::WriteFile(folder_ + "/" + name, text);
    return folder_ + "/" + name;
  }
  static absl::Status Connect(const sql::MysqlOptions& options) {
    const auto dialect = sql::MakeMysqlDialect(options);
    if (!dialect.ok()) return dialect.status();
    const auto connection = (*dialect)->Connect();
    if (!connection.ok()) return connection.status();
    const auto cipher = (*connection)->Execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'", {});
    if (!cipher.ok()) return cipher.status();
    EXPECT_NE(std::get<std::string>(cipher->rows.at(0).at(1)), "") << "in the clear";
    return absl::OkStatus();
  }

  std::string folder_;
};

TEST_F(MariaDbTls, AServerIsBelievedByItsCaAndName) {
  const common::http::TestCertificate certificate;
  const common::http::TestCertificate other;
  tests::testing::MariaDb server({certificate.pem, KeyPem(certificate.key)});
  sql::MysqlOptions options = NewDatabase(server);
  options.tls.enabled = true;
  options.tls.ca_file = File("ca.pem", certificate.pem);
  EXPECT_TRUE(Connect(options).ok()) << Connect(options);

  sql::MysqlOptions wrong = options;
  wrong.tls.ca_file = File("other.pem", other.pem);
  EXPECT_TRUE(absl::IsUnavailable(Connect(wrong))) << Connect(wrong);
  wrong.tls.ca_file = folder_ + "/missing.pem";
  EXPECT_FALSE(Connect(wrong).ok());
  wrong = options;
  wrong.host = "localhost";  // the certificate names the address only
  EXPECT_TRUE(absl::IsUnavailable(Connect(wrong))) << Connect(wrong);
  wrong.tls.verify = false;
  EXPECT_TRUE(Connect(wrong).ok()) << "asked not to look: " << Connect(wrong);
}

// Row of the security table: TLS is never silently left out.
TEST_F(MariaDbTls, AServerWithoutTlsIsRefused) {
  sql::MysqlOptions options = NewDatabase(Server());
  options.tls.enabled = true;
  options.tls.verify = false;
  EXPECT_TRUE(absl::IsUnavailable(Connect(options))) << Connect(options);
  const common::http::TestCertificate certificate;
  options.tls.verify = true;
  options.tls.ca_file = File("ca.pem", certificate.pem);
  EXPECT_TRUE(absl::IsUnavailable(Connect(options))) << Connect(options);
}

}  // namespace
}  // namespace dragonfly::manager::store
