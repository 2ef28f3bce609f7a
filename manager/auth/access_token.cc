#include "manager/auth/access_token.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/auth/base64url.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::ErrorReason;
using common::status::Invalid;
using common::status::MakeStatus;
using common::status::StdView;
using common::status::Sv;

constexpr std::string_view kVersion = "v1:";
constexpr size_t kTokenBytes = 36;
constexpr size_t kMacDigits = 64;
constexpr size_t kSealedLength = kVersion.size() + kShownTokenLength + 1 + kMacDigits;
constexpr size_t kMinServerKeyBytes = 32;
// Other lengths than ours: an operator may bring his own.
constexpr size_t kMinTokenLength = 20;
constexpr size_t kMaxTokenLength = 256;

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

absl::Status Unauthorized() {
  return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized, "Unauthorized");
}

absl::Status Forbidden(std::string_view message) {
  return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden, message);
}

// "jobs" of "/oapi/v1/jobs/1", in lower case; "" for other paths.
std::string ObjectOfOpenPath(std::string_view path) {
  constexpr std::string_view kOpen = "/o";
  if (path.substr(0, kOpen.size()) != kOpen) return "";
  const std::string closed = absl::StrCat("/", Sv(path.substr(kOpen.size())));
  const auto object = ObjectOfPath(closed);
  return object ? absl::AsciiStrToLower(Sv(*object)) : "";
}

std::string_view ScopeOf(std::string_view object) {
  if (object == "jobs") return kJobScope;
  if (object == "clusters") return kClusterScope;
  return "";
}

}  // namespace

Secret GenerateAccessToken(common::os::Env& env) {
  const Secret bytes(RandomBytes(env, kTokenBytes));
  return Secret(EncodeBase64Url(bytes.Reveal()));
}

absl::StatusOr<AccessTokenSealer> AccessTokenSealer::Create(Secret server_key) {
  if (server_key.size() < kMinServerKeyBytes) {
    return Invalid(absl::StrCat("the key for personal access tokens has ", server_key.size(),
                                " bytes; it needs ", kMinServerKeyBytes,
                                ", or is left out and the manager makes one and keeps it"));
  }
  return AccessTokenSealer(std::move(server_key));
}

std::optional<std::string> AccessTokenSealer::Seal(std::string_view token) const {
  if (token.size() < kMinTokenLength || token.size() > kMaxTokenLength ||
      !std::all_of(token.begin(), token.end(), IsTokenCharacter)) {
    return std::nullopt;
  }
  const Mac mac = HmacSha256(server_key_.Reveal(), token);
  return absl::StrCat(Sv(kVersion), Sv(token.substr(0, kShownTokenLength)), ":",
                      absl::BytesToHexString(Sv(BytesOf(mac))));
}

bool AccessTokenSealer::Matches(std::string_view token, std::string_view stored) const {
  const auto sealed = Seal(token);
  return sealed && EqualInConstantTime(*sealed, stored);
}

bool IsClearText(std::string_view stored) {
  return stored.size() != kSealedLength || stored.substr(0, kVersion.size()) != kVersion;
}

std::string ShownToken(std::string_view stored) {
  if (!IsClearText(stored)) stored.remove_prefix(kVersion.size());
  // Of a short text not even the beginning.
  const size_t shown = stored.size() >= kMinTokenLength ? kShownTokenLength : 0;
  return absl::StrCat(Sv(stored.substr(0, shown)),
                      std::string(kAccessTokenLength - kShownTokenLength, '*'));
}

absl::StatusOr<std::vector<std::string>> ScopesToKeep(std::span<const std::string> requested) {
  std::vector<std::string> scopes;
  for (const std::string& scope : requested) {
    if (scope != kJobScope && scope != kClusterScope) {
      return Invalid(
          absl::StrCat("scope '", scope.substr(0, 64), "' does not exist; write job or cluster"));
    }
    if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) scopes.push_back(scope);
  }
  if (scopes.empty()) scopes = {std::string(kJobScope), std::string(kClusterScope)};
  return scopes;
}

absl::Status CheckExpiry(absl::Time expires_at, absl::Time now) {
  if (expires_at > now) return absl::OkStatus();
  return Invalid(absl::StrCat("expired_at is ", absl::FormatTime(expires_at, absl::UTCTimeZone()),
                              ", which has passed; write a time to come"));
}

absl::Status CheckAccessToken(const std::optional<AccessToken>& token, std::string_view path,
                              absl::Time now) {
  if (!token) return Unauthorized();
  if (!token->active) return Forbidden("Token is inactive");
  if (token->expires_at < now) return Forbidden("Token has expired");
  const std::string_view needed = ScopeOf(ObjectOfOpenPath(path));
  if (needed.empty()) {
    return Forbidden(absl::StrCat("Failed to extract resource type from path: ",
                                  Sv(path.substr(0, kMaxTokenLength))));
  }
  if (std::find(token->scopes.begin(), token->scopes.end(), needed) != token->scopes.end())
    return absl::OkStatus();
  return Forbidden(absl::StrCat(
      "Token doesn't have permission to access this resource. Required permission: ", Sv(needed)));
}

absl::Status CheckOwner(const AccessToken& token, const std::optional<UserSession>& owner,
                        const PolicySnapshot& policy, std::string_view path,
                        std::string_view method) {
  if (!owner || owner->state != UserState::kEnabled) return Unauthorized();
  const std::string object = ObjectOfOpenPath(path);
  AccessRequest request;
  request.user_id = token.user_id;
  request.object = object;
  request.action = ActionOfMethod(method);
  return policy.Decide(request).ToStatus();
}

}  // namespace dragonfly::manager::auth
