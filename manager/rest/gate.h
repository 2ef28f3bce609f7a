#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "manager/auth/jwt.h"
#include "manager/rest/answer.h"
#include "manager/rest/call.h"

namespace dragonfly::manager::rest {

// What a request shows for itself.
struct Credentials {
  enum class Source : uint8_t { kNone, kCookie, kHeader, kQuery } source = Source::kNone;
  std::string token;
};
inline constexpr std::string_view kCookieName = "jwt";

// A sign-in token: cookie "jwt", then "Authorization: Bearer", then query "token".
Credentials FindSignInToken(const common::http::ServerRequest& request, const Query& query);
// A personal access token: query "access_token", then "Authorization: Bearer" in any case.
Credentials FindAccessToken(const common::http::ServerRequest& request, const Query& query);

// Whether a page of `origin` may call us: ours (the Host of the request), or one of the list.
bool IsKnownOrigin(std::string_view origin, std::string_view host,
                   const std::vector<std::string>& allowed);

// The address of the client: of the connection, or the last one in X-Forwarded-For that is no
// trusted proxy, when the connection is one.
std::string AddressOf(const common::http::ServerRequest& request,
                      const std::vector<common::net::IpPrefix>& trusted);
bool IsEncrypted(const common::http::ServerRequest& request,
                 const std::vector<common::net::IpPrefix>& trusted);

// What needs no database: the token's signature and time, the page that a browser was on. Cheap
// enough for the server's own thread, so that strangers never get onto the pool.
struct Passed {
  std::optional<auth::Claims> claims;  // of a session
};
std::variant<Passed, Answer> CheckAtTheDoor(const Call& call);

// The rest: whether the user is still signed in, whether his roles allow it; or the same for a
// personal access token and its owner. Fills in call.caller. Nothing: he may. Blocks.
std::optional<Answer> Admit(Call& call, const Passed& passed);

}  // namespace dragonfly::manager::rest
