#include "manager/rest/gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/log/log.h"
#include "common/status/strings.h"
#include "manager/auth/access_token.h"
#include "manager/rest/body.h"
#include "manager/store/models/people.h"
#include "manager/store/repository.h"

namespace dragonfly::manager::rest {
namespace {

using common::http::Find;
using common::http::FindOrEmpty;
using common::http::ServerRequest;
using common::log::kv;
using common::status::StdView;
using common::status::Sv;
using store::models::PersonalAccessToken;

std::string_view CookieOf(const ServerRequest& request, std::string_view name) {
  for (const std::string_view header : common::http::FindAll(request.headers, "Cookie")) {
    for (const absl::string_view pair : absl::StrSplit(Sv(header), ';')) {
      const std::string_view cookie = StdView(absl::StripAsciiWhitespace(pair));
      if (cookie.size() > name.size() && cookie.substr(0, name.size()) == name &&
          cookie[name.size()] == '=') {
        return cookie.substr(name.size() + 1);
      }
    }
  }
  return {};
}

bool Changes(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

bool IsTrusted(const common::net::IpAddress& address,
               const std::vector<common::net::IpPrefix>& trusted) {
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const common::net::IpPrefix& each) { return each.Contains(address); });
}

Answer DeniedAnswer(const Call& call, std::string_view why) {
  common::log::Info("rest: denied", kv("route", call.route.pattern),
                    kv("method", call.request.method), kv("user", call.caller.user_id),
                    kv("why", why));
  return AnswerOf(Denied(why));
}

// The answer to a sign-in token that does not hold.
Answer BadToken(const Call& call, const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return Refuse(400, "Bad Request");
  common::log::Info("rest: a sign-in token was refused", kv("address", call.address),
                    kv("why", status));
  return Unauthorized(call.services.options.realm);
}

std::optional<Answer> AdmitSession(Call& call, const auth::Claims& claims) {
  Services& services = call.services;
  const absl::Time now = services.Now();
  const absl::StatusOr<std::optional<Sessions::User>> user =
      services.sessions.Find(claims.user_id, now);
  if (!user.ok()) return AnswerOf(user.status());
  std::optional<auth::UserSession> session;
  if (*user) session = (*user)->session;
  if (absl::Status signed_in = auth::CheckSession(claims, session); !signed_in.ok())
    return BadToken(call, signed_in);
  call.caller.user_id = claims.user_id;
  call.caller.name = (*user)->name;
  const Policy& policy = call.route.policy;
  if (policy.kind() != Policy::Kind::kSession) return std::nullopt;

  const auto rules = services.policies.Current(now);
  if (!rules.ok()) return AnswerOf(rules.status());
  auth::AccessRequest request;
  request.user_id = claims.user_id;
  request.object = policy.object();
  request.action = auth::ActionOfMethod(call.request.method);
  request.roles_of_user = policy.roles_of_user();
  if (policy.owner() == Policy::Owner::kPathId) {
    const absl::StatusOr<int64_t> id = call.PathId();
    if (!id.ok()) return AnswerOf(id.status());
    request.owner_id = static_cast<uint64_t>(*id);
  }
  const auth::Decision decision = (*rules)->Decide(request);
  if (!decision.allowed) return DeniedAnswer(call, decision.why);
  call.caller.only_own = decision.only_own;
  call.caller.is_root = (*rules)->IsRoot(claims.user_id);
  return std::nullopt;
}

absl::StatusOr<std::optional<auth::AccessToken>> FindRow(Services& services,
                                                         const std::string& stored,
                                                         std::string& name) {
  using Where = store::Condition<PersonalAccessToken>;
  const auto row = store::Repository<PersonalAccessToken>(services.store)
                       .FindOne({Where::Equal(&PersonalAccessToken::token, stored)});
  if (absl::IsNotFound(row.status())) return std::nullopt;
  if (!row.ok()) return row.status();
  auth::AccessToken token;
  token.stored = row->token;
  token.scopes = TextsOf(row->scopes);
  token.active = row->state == "active";
  token.expires_at = row->expired_at;
  token.user_id = static_cast<uint64_t>(row->user_id);
  name = row->name;
  return std::optional<auth::AccessToken>(std::move(token));
}

std::optional<Answer> AdmitToken(Call& call) {
  Services& services = call.services;
  const absl::Time now = services.Now();
  const Credentials shown = FindAccessToken(call.request, call.query);
  const std::optional<std::string> stored = services.sealer.Seal(shown.token);
  std::optional<auth::AccessToken> token;
  if (stored) {
    auto found = FindRow(services, *stored, call.caller.name);
    if (!found.ok()) return AnswerOf(found.status());
    // A database may compare texts more loosely than we do.
    if (*found && services.sealer.Matches(shown.token, (*found)->stored)) token = **found;
  }
  if (absl::Status good = auth::CheckAccessToken(token, call.request.path, now); !good.ok())
    return AnswerOf(good);
  if (std::find(token->scopes.begin(), token->scopes.end(), call.route.policy.scope()) ==
      token->scopes.end()) {
    return Refuse(403, absl::StrCat("Token doesn't have permission to access this resource. "
                                    "Required permission: ",
                                    call.route.policy.scope()));
  }
  const auto owner = services.sessions.Find(token->user_id, now);
  if (!owner.ok()) return AnswerOf(owner.status());
  const auto rules = services.policies.Current(now);
  if (!rules.ok()) return AnswerOf(rules.status());
  std::optional<auth::UserSession> session;
  if (*owner) session = (*owner)->session;
  const absl::Status may =
      auth::CheckOwner(*token, session, **rules, call.request.path, call.request.method);
  if (absl::IsPermissionDenied(may)) return DeniedAnswer(call, "the owner of the token may not");
  if (!may.ok()) return AnswerOf(may);
  call.caller.user_id = token->user_id;
  call.caller.by_token = true;
  call.caller.is_root = (*rules)->IsRoot(token->user_id);
  return std::nullopt;
}

}  // namespace

Credentials FindSignInToken(const ServerRequest& request, const Query& query) {
  constexpr std::string_view kBearer = "Bearer ";
  Credentials found;
  if (const std::string_view cookie = CookieOf(request, kCookieName); !cookie.empty()) {
    found.source = Credentials::Source::kCookie;
    found.token = std::string(cookie);
    return found;
  }
  const std::string_view header = FindOrEmpty(request.headers, "Authorization");
  if (header.substr(0, kBearer.size()) == kBearer && header.size() > kBearer.size()) {
    found.source = Credentials::Source::kHeader;
    found.token = std::string(header.substr(kBearer.size()));
  } else if (!query.Get("token").empty()) {
    found.source = Credentials::Source::kQuery;
    found.token = std::string(query.Get("token"));
  }
  return found;
}

Credentials FindAccessToken(const ServerRequest& request, const Query& query) {
  constexpr std::string_view kBearer = "bearer ";
  Credentials found;
  if (!query.Get("access_token").empty()) {
    found.source = Credentials::Source::kQuery;
    found.token = std::string(query.Get("access_token"));
    return found;
  }
  const std::string_view header = FindOrEmpty(request.headers, "Authorization");
  if (absl::AsciiStrToLower(Sv(header.substr(0, kBearer.size()))) == Sv(kBearer)) {
    found.source = Credentials::Source::kHeader;
    found.token = std::string(header.substr(kBearer.size()));
  }
  return found;
}

bool IsKnownOrigin(std::string_view origin, std::string_view host,
                   const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), origin) != allowed.end()) return true;
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && !host.empty() && origin.substr(scheme + 3) == host;
}

std::string AddressOf(const ServerRequest& request,
                      const std::vector<common::net::IpPrefix>& trusted) {
  common::net::IpAddress client = request.peer.ip;
  if (!IsTrusted(client, trusted)) return client.ToString();
  std::vector<std::string> hops;
  for (const std::string_view header : common::http::FindAll(request.headers, "X-Forwarded-For")) {
    for (const absl::string_view hop : absl::StrSplit(Sv(header), ','))
      hops.emplace_back(absl::StripAsciiWhitespace(hop));
  }
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = common::net::IpAddress::Parse(*hop);
    if (!address.ok()) break;
    client = *address;
    if (!IsTrusted(client, trusted)) break;
  }
  return client.ToString();
}

bool IsEncrypted(const ServerRequest& request, const std::vector<common::net::IpPrefix>& trusted) {
  return request.encrypted || (IsTrusted(request.peer.ip, trusted) &&
                               FindOrEmpty(request.headers, "X-Forwarded-Proto") == "https");
}

std::variant<Passed, Answer> CheckAtTheDoor(const Call& call) {
  const Policy& policy = call.route.policy;
  const RestOptions& options = call.services.options;
  Passed passed;
  if (policy.kind() == Policy::Kind::kToken) {
    if (FindAccessToken(call.request, call.query).token.empty()) return Refuse(401, "Unauthorized");
    return passed;
  }
  const Credentials shown = FindSignInToken(call.request, call.query);
  // A browser sends cookies along whoever's page it is on, and keeps those that it gets.
  const std::string_view origin = FindOrEmpty(call.request.headers, "Origin");
  const bool cookies =
      shown.source == Credentials::Source::kCookie || policy.kind() == Policy::Kind::kPublic;
  if (cookies && Changes(call.request.method) && !origin.empty() &&
      !IsKnownOrigin(origin, FindOrEmpty(call.request.headers, "Host"), options.allowed_origins)) {
    return Refuse(403, "Forbidden",
                  "the request comes from a page of another origin; add it to the allowed origins "
                  "of the manager");
  }
  if (policy.kind() == Policy::Kind::kPublic) return passed;
  if (shown.token.empty()) return Unauthorized(options.realm);
  const absl::StatusOr<auth::Claims> claims =
      call.services.jwt.Verify(shown.token, call.services.Now());
  if (!claims.ok()) return BadToken(call, claims.status());
  passed.claims = *claims;
  return passed;
}

std::optional<Answer> Admit(Call& call, const Passed& passed) {
  switch (call.route.policy.kind()) {
    case Policy::Kind::kPublic:
      return std::nullopt;
    case Policy::Kind::kToken:
      return AdmitToken(call);
    case Policy::Kind::kSession:
      break;
  }
  if (!passed.claims) return Unauthorized(call.services.options.realm);
  return AdmitSession(call, *passed.claims);
}

}  // namespace dragonfly::manager::rest
