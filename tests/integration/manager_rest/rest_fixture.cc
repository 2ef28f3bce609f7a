#include "tests/integration/manager_rest/rest_fixture.h"

#include <array>
#include <span>

#include "common/async/tcp.h"
#include "common/async/testing/talk.h"
#include "manager/auth/session_epoch.h"
#include "manager/rest/policies.h"
#include "manager/store/models/people.h"
#include "manager/store/repository.h"
#include "manager/store/sql/sqlite.h"

namespace dragonfly::manager::rest {
namespace {

namespace async = common::async;
using common::http::HttpServer;

constexpr int kCost = 10;  // the cheapest that is allowed

auth::PasswordHasher Hasher() { return *auth::PasswordHasher::Create({kCost}); }

auth::Jwt MakeJwt() {
  auth::Jwt::Options options;
  options.key = auth::Secret(std::string(32, 'k'));
  return *auth::Jwt::Create(std::move(options));
}

int64_t AddUser(store::Store& store, const std::string& name, const char* password,
                std::string_view role) {
  store::models::User user;
  user.name = name;
  user.email = name == "root" ? "" : name + "@example.org";
  user.encrypted_password = *Hasher().Hash(password, common::os::PosixEnv());
  user.session_epoch = static_cast<int64_t>(auth::FirstEpoch(common::os::PosixEnv()));
  const auto made = store::Repository<store::models::User>(store).Insert(user);
  EXPECT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(GrantRole(store, made->id, role).ok());
  return made->id;
}

}  // namespace

void RestFixture::Start() {
  auto store = store::Store::Open(store::sql::MakeSqliteDialect({}), {});
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  ASSERT_TRUE(
      store_->RunInTransaction([](store::Session& session) { return InsertMissingRules(session); })
          .ok());
  root_id_ = AddUser(*store_, "root", kRootPassword, auth::kRootRole);
  guest_id_ = AddUser(*store_, "guest-1", kGuestPassword, auth::kGuestRole);
  pool_ = std::make_unique<async::BlockingPool>(pool_threads_, pool_queue_);
  RestService::Deps deps{*store_,
                         *pool_,
                         common::os::PosixEnv(),
                         clock_,
                         metrics_,
                         MakeJwt(),
                         Hasher(),
                         *auth::AccessTokenSealer::Create(auth::Secret(std::string(32, 's'))),
                         [this] { ++cluster_changes_; },
                         limits_,
                         tracer_};
  rest_ = std::make_unique<RestService>(std::move(deps), options_);
  common::net::Endpoint at;
  at.ip = common::net::IpAddress::V4({127, 0, 0, 1});
  server_options_.report = &limits_;
  auto server = HttpServer::Bind(runtime_.executor(0), at, server_options_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  server_->HandleOthers([this](async::CancelScope& scope, common::http::ServerRequest request) {
    return rest_->Handle(scope, std::move(request));
  });
  server_->Start();
  if (server_options_.tls != nullptr) return;
  root_ = SignedIn("root", kRootPassword);
  guest_ = SignedIn("guest-1", kGuestPassword);
}

void RestFixture::TearDown() {
  if (server_ != nullptr) server_->Stop();
  server_.reset();
  rest_.reset();
  pool_.reset();
}

std::string RestFixture::Talk(const std::string& text) {
  return async::testing::Talk(runtime_.executor(1), server_->endpoint(), text);
}

Response RestFixture::Parse(const std::string& text) {
  Response response;
  const size_t head = text.find("\r\n\r\n");
  if (head == std::string::npos || text.size() < 12) return response;
  response.status = std::stoi(text.substr(9, 3));
  size_t line = text.find("\r\n") + 2;
  while (line < head) {
    const size_t end = text.find("\r\n", line);
    const size_t colon = text.find(": ", line);
    response.headers.emplace_back(text.substr(line, colon - line),
                                  text.substr(colon + 2, end - colon - 2));
    line = end + 2;
  }
  response.body = text.substr(head + 4);
  return response;
}

Response RestFixture::Send(const Request& request) {
  std::string text = request.method + " " + request.path + " HTTP/1.1\r\nConnection: close\r\n";
  if (common::http::Find(request.headers, "Host") == std::nullopt) text += "Host: manager\r\n";
  if (!request.token.empty()) text += "Authorization: Bearer " + request.token + "\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty())
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return Parse(Talk(text + "\r\n" + request.body));
}

std::string RestFixture::SignedIn(const std::string& name, const std::string& password) {
  const Response response =
      Post("/api/v1/users/signin", "", {{"name", name}, {"password", password}});
  EXPECT_EQ(response.status, 200) << response.body;
  return response.status == 200 ? response.Json().value("token", "") : "";
}

std::string RestFixture::AccessToken(const json& scopes) {
  static std::atomic<int> number = 0;
  const Response made = Post("/api/v1/personal-access-tokens", root_,
                             {{"name", "token-" + std::to_string(++number)},
                              {"expired_at", "2037-01-01T00:00:00Z"},
                              {"scopes", scopes}});
  EXPECT_EQ(made.status, 200) << made.body;
  return made.Json().value("token", "");
}

int64_t RestFixture::Count(const std::string& table) {
  int64_t count = -1;
  const absl::Status done = store_->Read([&](store::sql::Connection& connection) -> absl::Status {
    const auto result = connection.Execute("SELECT COUNT(*) FROM " + table, {});
    if (!result.ok()) return result.status();
    count = std::get<int64_t>(result->rows.at(0).at(0));
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done;
  return count;
}

void RestFixture::Execute(const std::string& statement) {
  const absl::Status done = store_->Write([&](store::sql::Connection& connection) {
    return connection.Execute(statement, {}).status();
  });
  EXPECT_TRUE(done.ok()) << done;
}

std::string RestFixture::Dump() {
  std::string text;
  const absl::Status done = store_->Read([&](store::sql::Connection& connection) -> absl::Status {
    const auto tables =
        connection.Execute("SELECT name FROM sqlite_master WHERE type = 'table'", {});
    if (!tables.ok()) return tables.status();
    for (const auto& table : tables->rows) {
      const auto rows =
          connection.Execute("SELECT * FROM " + std::get<std::string>(table.at(0)), {});
      if (!rows.ok()) return rows.status();
      for (const auto& row : rows->rows) {
        for (const auto& value : row) {
          if (const auto* its = std::get_if<std::string>(&value)) text += *its + "\n";
        }
      }
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done;
  return text;
}

}  // namespace dragonfly::manager::rest
