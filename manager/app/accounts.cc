#include "manager/app/accounts.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "manager/auth/session_epoch.h"
#include "manager/rest/policies.h"
#include "manager/store/models/people.h"
#include "manager/store/repository.h"
#include "manager/store/settings.h"

namespace dragonfly::manager::app {
namespace {

namespace log = common::log;
using common::status::Annotate;
using common::status::ErrorReason;
using common::status::MakeStatus;
using store::Condition;
using store::Repository;
using store::models::PersonalAccessToken;
using store::models::User;

constexpr const char* kJwtKeySetting = "auth.jwt.key";
constexpr const char* kTokenKeySetting = "auth.access_token.key";
constexpr const char* kRoot = "root";
// The original's, for a token that the environment names.
constexpr const char* kTokenName = "default";
constexpr absl::Duration kTokenLife = absl::Hours(24 * 3650);
constexpr size_t kTokensAtOnce = 100;

absl::StatusOr<auth::Secret> SharedKey(const char* setting, store::Store& store,
                                       common::os::Env& env) {
  store::Settings settings(store);
  const auth::Secret fresh = auth::GenerateKey(env);
  auto kept = settings.PutIfAbsent(setting, std::string_view(fresh.Reveal()));
  if (!kept.ok()) return kept.status();
  return auth::Secret(*std::move(kept));
}

absl::StatusOr<auth::Secret> KeyOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "auth.jwt.keyFile: " + path + ": cannot be read");
  }
  absl::StripTrailingAsciiWhitespace(&text);
  return auth::Secret(std::move(text));
}

// The one that is there, or nothing when there are others: who has removed root does not want it
// back.
absl::StatusOr<int64_t> EnsureRoot(store::Executor& session, const User& root) {
  Repository<User> users(session);
  const auto known = users.FindOne({Condition<User>::Equal(&User::name, kRoot)});
  if (known.ok()) return known->id;
  if (!absl::IsNotFound(known.status())) return known.status();
  const auto others = users.List({}, {1, 1});
  if (!others.ok()) return others.status();
  if (others->total > 0) return int64_t{0};
  if (root.encrypted_password.empty()) {
    return absl::AbortedError("the users have gone while the manager started; start it again");
  }
  const auto made = users.Insert(root);
  if (!made.ok()) return made.status();
  return made->id;
}

absl::Status EnsureToken(store::Executor& session, const std::string& sealed, int64_t owner,
                         absl::Time now) {
  using Where = Condition<PersonalAccessToken>;
  Repository<PersonalAccessToken> tokens(session);
  PersonalAccessToken token;
  token.name = kTokenName;
  token.token = sealed;
  token.scopes = R"(["job","cluster"])";
  token.state = "active";
  token.expired_at = now + kTokenLife;
  token.user_id = owner;
  const auto known = tokens.FindOne({Where::Equal(&PersonalAccessToken::name, kTokenName)});
  if (absl::IsNotFound(known.status())) return tokens.Insert(token).status();
  if (!known.ok() || known->token == sealed) return known.status();
  return tokens.Update(known->id, token, {&PersonalAccessToken::token}).status();
}

// Rows of the original have the token itself.
absl::Status SealTokens(store::Executor& session, const auth::AccessTokenSealer& sealer) {
  Repository<PersonalAccessToken> tokens(session);
  for (uint64_t page = 1;; ++page) {
    const auto found = tokens.List({}, {page, kTokensAtOnce});
    if (!found.ok()) return found.status();
    for (const PersonalAccessToken& row : found->rows) {
      if (!auth::IsClearText(row.token)) continue;
      PersonalAccessToken changed = row;
      const std::optional<std::string> sealed = sealer.Seal(row.token);
      if (!sealed) {
        log::Warning("a personal access token is none; it opens nothing", log::kv("id", row.id));
        continue;
      }
      changed.token = *sealed;
      const auto kept = tokens.Update(row.id, changed, {&PersonalAccessToken::token});
      if (!kept.ok()) return kept.status();
    }
    if (found->rows.size() < kTokensAtOnce) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<auth::Jwt> OpenJwt(const JwtConfig& config, store::Store& store,
                                  common::os::Env& env) {
  auth::Jwt::Options options;
  options.timeout = config.timeout;
  options.max_refresh = config.max_refresh;
  absl::StatusOr<auth::Secret> key = auth::Secret(config.key);
  if (!config.key_file.empty()) {
    key = KeyOfFile(config.key_file);
  } else if (config.key.empty()) {
    key = SharedKey(kJwtKeySetting, store, env);
  }
  if (!key.ok()) return key.status();
  options.key = *std::move(key);
  return auth::Jwt::Create(std::move(options));
}

absl::StatusOr<auth::AccessTokenSealer> OpenSealer(store::Store& store, common::os::Env& env) {
  absl::StatusOr<auth::Secret> key = SharedKey(kTokenKeySetting, store, env);
  if (!key.ok()) return key.status();
  return auth::AccessTokenSealer::Create(*std::move(key));
}

absl::StatusOr<std::string> PrepareAccounts(store::Store& store, const FirstAccounts& first,
                                            const auth::PasswordHasher& hasher,
                                            const auth::AccessTokenSealer& sealer,
                                            common::os::Env& env) {
  const bool named = !first.root_password.empty();
  // 24 characters: 144 random bits.
  const std::string password =
      named ? first.root_password
            : std::string(auth::GenerateAccessToken(env).Reveal().substr(0, 24));
  std::optional<std::string> token;
  if (!first.access_token.empty()) {
    token = sealer.Seal(first.access_token);
    if (!token) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                        "DRAGONFLY_PAT: is no access token; 20 to 256 characters of A-Z, a-z, "
                        "0-9, - and _");
    }
  }
  if (named) {
    absl::Status good = auth::CheckNewPassword(password);
    if (!good.ok()) return Annotate(good, "DRAGONFLY_INITIAL_ROOT_PASSWORD");
  }
  const auto users = Repository<User>(store).List({}, {1, 1});
  if (!users.ok()) return users.status();
  User root;
  root.name = kRoot;
  root.session_epoch = static_cast<int64_t>(auth::FirstEpoch(env));
  if (users->total == 0) {  // a quarter of a second of CPU, and not in a transaction
    auto hash = hasher.Hash(password, env);
    if (!hash.ok()) return Annotate(hash.status(), "DRAGONFLY_INITIAL_ROOT_PASSWORD");
    root.encrypted_password = *std::move(hash);
  }
  bool made = false;
  const absl::Status done = store.RunInTransaction([&](store::Session& session) -> absl::Status {
    if (absl::Status rules = rest::InsertMissingRules(session); !rules.ok()) return rules;
    const absl::StatusOr<int64_t> id = EnsureRoot(session, root);
    if (!id.ok()) return id.status();
    if (*id != 0) {
      if (absl::Status granted = rest::GrantRole(session, *id, kRoot); !granted.ok())
        return granted;
      const auto row = Repository<User>(session).Get(*id);
      if (!row.ok()) return row.status();
      // Of two managers that start at once, one has made the row.
      made = !root.encrypted_password.empty() && row->encrypted_password == root.encrypted_password;
    }
    if (token && *id != 0) {
      absl::Status kept = EnsureToken(session, *token, *id, session.Now());
      if (!kept.ok()) return Annotate(kept, "DRAGONFLY_PAT");
    }
    return SealTokens(session, sealer);
  });
  if (!done.ok()) return done;
  return made && !named ? password : std::string();
}

}  // namespace dragonfly::manager::app
