#include "common/oci/credentials.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/http/url.h"
#include "common/id/url.h"
#include "common/oci/challenge.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::oci {
namespace {

using status::ErrorReason;
using status::MakeStatus;
using status::StdView;

absl::Status Unauthenticated(const std::string& message) {
  return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized, message);
}

// Where the token is got, for reading this repository and nothing else, whatever the registry asks.
std::string TokenUrl(const Reference& reference, const Challenge& challenge) {
  std::vector<id::QueryPair> query;
  const std::string_view service = challenge.Find("service");
  if (!service.empty()) query.push_back({"service", std::string(service)});
  query.push_back({"scope", absl::StrCat("repository:", reference.repository, ":pull")});
  const std::string_view realm = challenge.Find("realm");
  return absl::StrCat(status::Sv(realm), realm.find('?') == std::string_view::npos ? "?" : "&",
                      id::SerializeQuery(query));
}

absl::StatusOr<AuthPlan> PlanToken(const Reference& reference, const Challenge& challenge,
                                   bool has_credentials,
                                   const std::vector<std::string>& auth_hosts) {
  absl::StatusOr<http::UrlParts> realm = http::ParseUrl(challenge.Find("realm"));
  absl::StatusOr<http::UrlParts> registry = http::ParseUrl(reference.ManifestUrl());
  if (!realm.ok()) return status::Annotate(realm.status(), "the registry's token server");
  if (!registry.ok()) return registry.status();
  if (realm->scheme != "https" && registry->scheme == "https") {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kOriginProtocol,
                      StdView(absl::StrCat("the registry names a token server without TLS: ",
                                           http::Printable(*realm))));
  }
  AuthPlan plan;
  plan.token_url = TokenUrl(reference, challenge);
  plan.send_credentials = has_credentials;
  const bool trusted =
      realm->host == registry->host ||
      std::find(auth_hosts.begin(), auth_hosts.end(), realm->host) != auth_hosts.end();
  if (has_credentials && !trusted) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      StdView(absl::StrCat("the registry ", reference.registry,
                                           " sends the credentials to ", realm->host,
                                           ", which may not have them; job.registryAuthHosts "
                                           "changes that")));
  }
  return plan;
}

}  // namespace

absl::StatusOr<AuthPlan> PlanAuthorisation(const Reference& reference,
                                           const http::HeaderList& answer_headers,
                                           bool has_credentials,
                                           const std::vector<std::string>& auth_hosts) {
  bool basic = false;
  for (std::string_view header : http::FindAll(answer_headers, "WWW-Authenticate")) {
    for (const Challenge& challenge : ParseChallenges(header)) {
      if (challenge.scheme == "bearer") {
        return PlanToken(reference, challenge, has_credentials, auth_hosts);
      }
      basic |= challenge.scheme == "basic";
    }
  }
  if (!basic) {
    return Unauthenticated(absl::StrCat("the registry ", reference.registry,
                                        " says 401 and offers neither Bearer nor Basic"));
  }
  if (!has_credentials) {
    return Unauthenticated(absl::StrCat("the registry ", reference.registry,
                                        " asks who is there; give username and password"));
  }
  AuthPlan plan;
  plan.basic = true;
  return plan;
}

std::string BasicAuthorisation(std::string_view username, std::string_view password) {
  return absl::StrCat(
      "Basic ", absl::Base64Escape(absl::StrCat(status::Sv(username), ":", status::Sv(password))));
}

}  // namespace dragonfly::common::oci
