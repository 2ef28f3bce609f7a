#include "manager/auth/jwt.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/auth/base64url.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;
using common::status::Sv;
using nlohmann::json;

constexpr size_t kMinJwtKeyBytes = 32;
constexpr size_t kKeyBytes = 32;
constexpr absl::Duration kMinTimeout = absl::Minutes(1);
constexpr absl::Duration kMaxTimeout = absl::Hours(366 * 24);
// Clocks of several managers differ.
constexpr absl::Duration kClockSkew = absl::Minutes(1);

// Of the original's documentation, as it is printed, decoded, and what it says.
constexpr std::array<std::string_view, 3> kWellKnownKeys = {"ZHJhZ29uZmx5Cg==", "dragonfly\n",
                                                            "dragonfly"};

absl::Status InvalidKey(std::string_view what) {
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      absl::StrCat("auth.jwt.key ", Sv(what),
                   "; write 32 random bytes or more (openssl rand -base64 32), or leave it out and "
                   "the manager makes one and keeps it"));
}

absl::Status InvalidOption(std::string_view key, absl::Duration value, std::string_view remedy) {
  return MakeStatus(
      absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
      absl::StrCat("auth.jwt.", Sv(key), " is ", absl::FormatDuration(value), "; ", Sv(remedy)));
}

// The caller is told no more than this, whatever was wrong; `why` is for the log.
absl::Status Unauthorized(std::string_view why) {
  return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized,
                    absl::StrCat("sign-in token: ", Sv(why)));
}

// A JSON object whose members are no objects or lists and occur once each.
std::optional<json> FlatObject(std::string_view text) {
  bool flat = true;
  std::set<std::string> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::key)
      flat = names.insert(value.get<std::string>()).second && flat;
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth > 0) flat = false;
    return true;
  };
  json object = json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (!flat || !object.is_object()) return std::nullopt;
  return object;
}

// Exactly {"alg":"HS256"}, with or without "typ":"JWT". A header that names a key, points to one
// (jwk, jku, x5u, kid) or asks for more (crit, zip, b64) is none of ours.
bool IsOurHeader(std::string_view text) {
  const auto header = FlatObject(text);
  if (!header) return false;
  const auto alg = header->find("alg");
  if (alg == header->end() || *alg != "HS256") return false;
  const auto typ = header->find("typ");
  const bool has_typ = typ != header->end();
  return (!has_typ || *typ == "JWT") && header->size() == (has_typ ? 2U : 1U);
}

// A count of seconds since 1970, up to the end of the year 9999.
std::optional<absl::Time> TimeOf(const json& claim) {
  constexpr uint64_t kEndOfTime = 253'402'300'799;
  if (!claim.is_number_unsigned() || claim.get<uint64_t>() > kEndOfTime) return std::nullopt;
  return absl::FromUnixSeconds(static_cast<int64_t>(claim.get<uint64_t>()));
}

// "", or why a time claim that need not be there is wrong.
std::string_view WrongStart(const json& claims, std::string_view name, absl::Time now) {
  const auto claim = claims.find(std::string(name));
  if (claim == claims.end()) return "";
  const auto time = TimeOf(*claim);
  if (!time) return "nbf or iat is no time";
  return *time > now + kClockSkew ? "is not valid yet" : "";
}

absl::StatusOr<Claims> ReadClaims(std::string_view text, absl::Time now) {
  const auto object = FlatObject(text);
  if (!object) return Unauthorized("its claims are no flat JSON object");
  const auto exp = object->find("exp");
  if (exp == object->end() || !TimeOf(*exp)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "sign-in token: exp is missing or no whole number of seconds");
  }
  Claims claims;
  claims.expires_at = *TimeOf(*exp);
  const auto issued = object->find("orig_iat");
  if (issued == object->end() || !TimeOf(*issued)) return Unauthorized("orig_iat is no time");
  claims.issued_at = *TimeOf(*issued);
  const auto id = object->find("id");
  if (id == object->end() || !id->is_number_unsigned() || id->get<uint64_t>() == 0)
    return Unauthorized("id is no whole number above 0");
  claims.user_id = id->get<uint64_t>();
  if (const auto epoch = object->find("epoch"); epoch != object->end()) {
    if (!epoch->is_number_unsigned()) return Unauthorized("epoch is no whole number");
    claims.epoch = epoch->get<uint64_t>();
  }
  if (claims.issued_at > now + kClockSkew) return Unauthorized("is issued in the future");
  if (claims.expires_at <= claims.issued_at || claims.expires_at - claims.issued_at > kMaxTimeout)
    return Unauthorized("exp is not within 366 days of orig_iat");
  for (const std::string_view name : {"nbf", "iat"}) {
    if (const auto wrong = WrongStart(*object, name, now); !wrong.empty())
      return Unauthorized(wrong);
  }
  return claims;
}

}  // namespace

absl::Status CheckJwtKey(std::string_view key, KeyPolicy policy) {
  if (key.empty()) return InvalidKey("is empty");
  if (policy == KeyPolicy::kDevelopment) return absl::OkStatus();
  if (std::find(kWellKnownKeys.begin(), kWellKnownKeys.end(), key) != kWellKnownKeys.end())
    return InvalidKey("is the one printed in the documentation, with which anybody can sign in");
  if (key.size() < kMinJwtKeyBytes)
    return InvalidKey(StdView(absl::StrCat("has ", key.size(), " bytes, which can be guessed")));
  return absl::OkStatus();
}

Secret GenerateKey(common::os::Env& env) {
  const Secret bytes(RandomBytes(env, kKeyBytes));
  return Secret(EncodeBase64Url(bytes.Reveal()));
}

absl::StatusOr<Jwt> Jwt::Create(Options options) {
  if (absl::Status key = CheckJwtKey(options.key.Reveal(), options.key_policy); !key.ok())
    return key;
  if (!options.previous_key.empty()) {
    absl::Status key = CheckJwtKey(options.previous_key.Reveal(), options.key_policy);
    if (!key.ok()) return common::status::Annotate(key, "the previous key");
  }
  if (options.timeout < kMinTimeout || options.timeout > kMaxTimeout)
    return InvalidOption("timeout", options.timeout, "write 1m to 366 days (8784h)");
  if (options.max_refresh < absl::ZeroDuration() || options.max_refresh > kMaxTimeout)
    return InvalidOption("maxRefresh", options.max_refresh, "write 0s to 366 days (8784h)");
  return Jwt(std::move(options));
}

IssuedToken Jwt::Issue(uint64_t user_id, uint64_t epoch, absl::Time now) const {
  const absl::Time expires_at = now + options_.timeout;
  json claims = {{"id", user_id},
                 {"exp", absl::ToUnixSeconds(expires_at)},
                 {"orig_iat", absl::ToUnixSeconds(now)},
                 {"epoch", epoch}};
  const std::string text = absl::StrCat(EncodeBase64Url(R"({"alg":"HS256","typ":"JWT"})"), ".",
                                        EncodeBase64Url(claims.dump()));
  const Mac mac = HmacSha256(options_.key.Reveal(), text);
  return {absl::StrCat(text, ".", EncodeBase64Url(BytesOf(mac))),
          absl::FromUnixSeconds(absl::ToUnixSeconds(expires_at))};
}

bool Jwt::IsSigned(std::string_view text, std::string_view signature) const {
  bool equal = EqualInConstantTime(BytesOf(HmacSha256(options_.key.Reveal(), text)), signature);
  if (!options_.previous_key.empty()) {
    const Mac previous = HmacSha256(options_.previous_key.Reveal(), text);
    equal = EqualInConstantTime(BytesOf(previous), signature) || equal;
  }
  return equal;
}

absl::StatusOr<Claims> Jwt::ReadSigned(std::string_view token, absl::Time now) const {
  if (token.size() > kMaxTokenBytes) return Unauthorized("is longer than 8 KiB");
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return Unauthorized("does not have three parts");
  const auto header = DecodeBase64Url(token.substr(0, first));
  const auto claims = DecodeBase64Url(token.substr(first + 1, second - first - 1));
  const auto signature = DecodeBase64Url(token.substr(second + 1));
  if (!header || !claims || !signature) return Unauthorized("is not in base64url");
  if (!IsOurHeader(*header)) return Unauthorized("its header is not that of an HS256 token");
  // Claims are looked at after this only.
  if (!IsSigned(token.substr(0, second), *signature)) return Unauthorized("has a wrong signature");
  return ReadClaims(*claims, now);
}

absl::StatusOr<Claims> Jwt::Verify(std::string_view token, absl::Time now) const {
  auto claims = ReadSigned(token, now);
  if (claims.ok() && now >= claims->expires_at) return Unauthorized("has expired");
  return claims;
}

absl::StatusOr<Claims> Jwt::VerifyForRefresh(std::string_view token, absl::Time now) const {
  auto claims = ReadSigned(token, now);
  if (claims.ok() &&
      absl::ToUnixSeconds(claims->issued_at) < absl::ToUnixSeconds(now - options_.max_refresh)) {
    return Unauthorized("was issued too long ago to be replaced; sign in");
  }
  return claims;
}

}  // namespace dragonfly::manager::auth
