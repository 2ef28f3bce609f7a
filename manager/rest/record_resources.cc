// People, what they are known by, and what they write down.

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log/redact.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/auth/access_token.h"
#include "manager/auth/session_epoch.h"
#include "manager/rest/crud.h"
#include "manager/rest/resources.h"
#include "manager/store/models/people.h"
#include "manager/store/models/records.h"

namespace dragonfly::manager::rest {
namespace {

using common::status::Invalid;
using store::models::Application;
using store::models::Audit;
using store::models::Config;
using store::models::Oauth;
using store::models::PersonalAccessToken;
using store::models::User;

constexpr int64_t kMaxUrls = 1000;
constexpr const char* kRedacted = "***";

// A row belongs to its writer when it does not say to whom.
absl::Status NeedsUser(Writing& writing, size_t column) {
  if (!writing.fields.Has("user_id")) {
    if (writing.creating)
      writing.row.at(column) = static_cast<int64_t>(writing.call.caller.user_id);
    return absl::OkStatus();
  }
  return CheckReference(writing.session, store::models::TableOf<User>().shape(), "user_id",
                        writing.fields.Integer("user_id"));
}

// A user who is disabled, or enabled again, has to sign in anew.
absl::Status PrepareUser(Writing& writing) {
  if (!writing.fields.Has("state")) return absl::OkStatus();
  if (!writing.call.caller.is_root) return Denied("only root may change the state of a user");
  const size_t epoch = store::models::TableOf<User>().ColumnOf(&User::session_epoch);
  const auto before = static_cast<uint64_t>(IntegerAt(writing.row, epoch));
  writing.row.at(epoch) = static_cast<int64_t>(auth::NextEpoch(before));
  writing.changed.push_back(epoch);
  return absl::OkStatus();
}

// Where a user is embedded his name is shown; the rest is his own and root's business.
void ConcealUser(const Call& call, Row& row) {
  const Caller& caller = call.caller;
  if (caller.is_root || IntegerAt(row, 0) == static_cast<int64_t>(caller.user_id)) return;
  for (const char* name : {"email", "phone", "avatar", "location", "bio"})
    row.at(Users().FieldOf(name)->column) = std::string();
}

void ConcealConfig(const Call& call, Row& row) {
  const Resource& configs = Configs();
  if (!call.caller.is_root &&
      common::log::IsSecretName(TextAt(row, configs.FieldOf("name")->column)))
    row.at(configs.FieldOf("value")->column) = kRedacted;
}

// The manager reads it back as JSON: what it could not read is not written.
absl::Status PrepareConfig(Writing& writing) {
  const Resource& configs = Configs();
  if (TextAt(writing.row, configs.FieldOf("name")->column) == "gc") {
    const std::string value = TextAt(writing.row, configs.FieldOf("value")->column);
    const std::vector<Member> ttl = {{"ttl", Integer(1, Shape::kNoLimit), true}};
    const std::vector<Member> gc = {{"audit", Object(ttl), true}, {"job", Object(ttl), true}};
    const auto read = ReadBody(value, gc, Reading::kWhole);
    if (!read.ok()) {
      return Invalid(absl::StrCat("value of gc: ", read.status().message(),
                                  "; write {\"audit\":{\"ttl\":NS},\"job\":{\"ttl\":NS}}"));
    }
  }
  return NeedsUser(writing, configs.FieldOf("user_id")->column);
}

absl::Status PrepareToken(Writing& writing) {
  const Resource& tokens = AccessTokens();
  const size_t user_id = tokens.FieldOf("user_id")->column;
  const Caller& caller = writing.call.caller;
  if (absl::Status known = NeedsUser(writing, user_id); !known.ok()) return known;
  if (caller.only_own && IntegerAt(writing.row, user_id) != static_cast<int64_t>(caller.user_id))
    return Denied("only root may make tokens for others");
  if (writing.creating) {
    Call& call = writing.call;
    call.issued = auth::GenerateAccessToken(call.services.env);
    const auto sealed = call.services.sealer.Seal(call.issued.Reveal());
    if (!sealed) return absl::InternalError("a new token cannot be sealed");
    writing.row.at(tokens.FieldOf("token")->column) = *sealed;
  }
  if (writing.fields.Has("expired_at")) {
    const absl::Time now = writing.call.services.Now();
    if (absl::Status later = auth::CheckExpiry(writing.fields.Time("expired_at"), now); !later.ok())
      return later;
  }
  if (!writing.creating && !writing.fields.Has("scopes")) return absl::OkStatus();
  const std::vector<std::string> requested = TextsOf(writing.fields.Json("scopes"));
  const auto scopes = auth::ScopesToKeep(requested);
  if (!scopes.ok()) return scopes.status();
  writing.row.at(tokens.FieldOf("scopes")->column) = JsonOf(*scopes);
  return absl::OkStatus();
}

// Shown by the call that made it and never again.
void ConcealToken(const Call& call, Row& row) {
  const size_t token = AccessTokens().FieldOf("token")->column;
  const std::string stored = TextAt(row, token);
  const std::string_view issued = call.issued.Reveal();
  row.at(token) = !issued.empty() && call.services.sealer.Matches(issued, stored)
                      ? std::string(issued)
                      : auth::ShownToken(stored);
}

}  // namespace

const Resource& Users() {
  static const Resource resource = [] {
    using T = User;
    ResourceOf<T> made("users", "user");
    made.Field(&T::email, TextOf(Shape::Format::kEmail),
               kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::name, Text(3, 64), kCreate | kRequired | kShow | kFilter)
        .Field(&T::avatar, Text(), kCreate | kUpdate | kShow)
        .Field(&T::phone, Text(), kCreate | kUpdate | kShow)
        .Field(&T::state, OneOf({"enable", "disable"}), kUpdate | kShow | kFilter)
        .Field(&T::location, Text(), kCreate | kUpdate | kShow | kFilter)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Null("configs")
        .OwnedBy(&T::id);
    Resource& its = made.resource();
    its.prepare = PrepareUser;
    its.committed = [](Services& services, const Row& row) {
      services.sessions.Changed(static_cast<uint64_t>(IntegerAt(row, 0)));
    };
    its.conceal = ConcealUser;
    return its;
  }();
  return resource;
}

const Resource& Oauths() {
  static const Resource resource = [] {
    using T = Oauth;
    ResourceOf<T> made("oauth", "sign-in provider");
    made.Field(&T::name, OneOf({"github", "google"}),
               kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::client_id, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::client_secret, Text(), kCreate | kRequired | kUpdate)
        .Field(&T::redirect_url, TextOf(Shape::Format::kUrl), kCreate | kUpdate | kShow);
    return made.resource();
  }();
  return resource;
}

const Resource& Configs() {
  static const Resource resource = [] {
    using T = Config;
    ResourceOf<T> made("configs", "configuration");
    made.Field(&T::name, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::value, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::user_id, Id(), kCreate | kUpdate | kShow | kFilter)
        .Parent("user", Users, &T::user_id);
    Resource& its = made.resource();
    its.prepare = PrepareConfig;
    its.conceal = ConcealConfig;
    return its;
  }();
  return resource;
}

const Resource& Applications() {
  static const Resource resource = [] {
    using T = Application;
    const Shape url =
        Object({{"regex", TextOf(Shape::Format::kPattern), true}, {"value", Integer(1, 20), true}});
    Shape priority = Object({{"value", Integer(0, 20), true}, {"urls", ArrayOf(url, kMaxUrls)}});
    ResourceOf<T> made("applications", "application");
    made.Field(&T::name, Text(), kCreate | kRequired | kUpdate | kShow | kFilter)
        .Field(&T::url, Text(), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::priority, std::move(priority), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::user_id, Id(), kCreate | kUpdate | kShow | kFilter)
        .Parent("user", Users, &T::user_id);
    Resource& its = made.resource();
    const size_t user_id = its.FieldOf("user_id")->column;
    its.prepare = [user_id](Writing& writing) { return NeedsUser(writing, user_id); };
    its.feeds_clusters = true;
    return its;
  }();
  return resource;
}

const Resource& AccessTokens() {
  static const Resource resource = [] {
    using T = PersonalAccessToken;
    ResourceOf<T> made("personal-access-tokens", "personal access token");
    made.Field(&T::name, Text(), kCreate | kRequired | kShow)
        .Field(&T::bio, Text(), kCreate | kUpdate | kShow)
        .Field(&T::token, Text(), kShow)
        .Field(&T::scopes, ArrayOf(OneOf({"job", "cluster"}), 16), kCreate | kUpdate | kShow)
        .Field(&T::state, OneOf({"active", "inactive"}), kUpdate | kShow | kFilter)
        .Field(&T::expired_at, Time(), kCreate | kRequired | kUpdate | kShow)
        .Field(&T::user_id, Id(), kCreate | kUpdate | kShow | kFilter)
        .Parent("user", Users, &T::user_id)
        .OwnedBy(&T::user_id);
    Resource& its = made.resource();
    its.defaults.at(its.FieldOf("state")->column) = "active";
    its.prepare = PrepareToken;
    its.conceal = ConcealToken;
    return its;
  }();
  return resource;
}

const Resource& Audits() {
  static const Resource resource = [] {
    using T = Audit;
    ResourceOf<T> made("audits", "audit");
    made.Field(&T::actor_type, OneOf({"UNKNOWN", "USER", "PAT"}), kShow | kFilter)
        .Field(&T::actor_name, Text(), kShow | kFilter)
        .Field(&T::event_type, OneOf({"API"}), kShow | kFilter)
        .Field(&T::operation, Text(), kShow | kFilter)
        .Field(&T::operated_at, Time(), kShow)
        .Field(&T::state, OneOf({"SUCCESS", "FAILURE"}), kShow | kFilter)
        .Field(&T::path, Text(), kShow | kFilter)
        .Field(&T::status_code, Integer(100, 599), kShow | kFilter)
        .Field(&T::detail, Object({}), kShow);
    Resource& its = made.resource();
    its.newest_first = true;
    return its;
  }();
  return resource;
}

}  // namespace dragonfly::manager::rest
