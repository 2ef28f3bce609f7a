// Sign-in tokens and access tokens: nothing is believed but what was signed here.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "manager/auth/access_token.h"
#include "manager/auth/base64url.h"
#include "manager/auth/jwt.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace auth = manager::auth;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

auth::Jwt MakeJwt() {
  auth::Jwt::Options options;
  options.key = auth::Secret(std::string(kKey));
  auto jwt = auth::Jwt::Create(std::move(options));
  FUZZ_CHECK(jwt.ok());
  return *std::move(jwt);
}

std::string Signed(std::string_view header, std::string_view claims) {
  const std::string text = auth::EncodeBase64Url(header) + "." + auth::EncodeBase64Url(claims);
  return text + "." + auth::EncodeBase64Url(auth::BytesOf(auth::HmacSha256(kKey, text)));
}

void CheckClaims(const auth::Claims& claims) {
  FUZZ_CHECK(claims.user_id != 0);
  FUZZ_CHECK(claims.issued_at < claims.expires_at);
  FUZZ_CHECK(claims.issued_at <= kNow + absl::Minutes(1));
}

// Any text as a token: only one that carries our signature may pass.
void TryToken(const auth::Jwt& jwt, std::string_view token) {
  const auto claims = jwt.Verify(token, kNow);
  if (!claims.ok()) return;
  CheckClaims(*claims);
  const size_t dot = token.rfind('.');
  FUZZ_CHECK(token.substr(dot + 1) ==
             auth::EncodeBase64Url(auth::BytesOf(auth::HmacSha256(kKey, token.substr(0, dot)))));
}

// Any claims with our signature: a version of ours, or of the original's, may have made them.
void TryClaims(const auth::Jwt& jwt, std::string_view claims_text) {
  const std::string token = Signed(R"({"alg":"HS256","typ":"JWT"})", claims_text);
  const auto claims = jwt.Verify(token, kNow);
  const auto refreshed = jwt.VerifyForRefresh(token, kNow);
  if (refreshed.ok()) CheckClaims(*refreshed);
  if (!claims.ok()) return;
  CheckClaims(*claims);
  FUZZ_CHECK(claims->expires_at > kNow);
}

// A header that is not ours takes the right signature along in vain.
void TryHeader(const auth::Jwt& jwt, std::string_view header) {
  const auto claims =
      jwt.Verify(Signed(header, R"({"exp":1800000600,"id":1,"orig_iat":1800000000})"), kNow);
  FUZZ_CHECK(!claims.ok() || header.find("HS256") != std::string_view::npos ||
             header.find('\\') != std::string_view::npos);
}

// A token of ours, one character of which is another: it is not ours any more.
void TryForgery(const auth::Jwt& jwt, std::string_view input) {
  if (input.size() < 4) return;
  const auto at = [&input](size_t i) { return static_cast<uint8_t>(input[i]); };
  const auth::IssuedToken issued = jwt.Issue(uint64_t{1} + at(0), at(1), kNow);
  const auto claims = jwt.Verify(issued.token, kNow);
  FUZZ_CHECK(claims.ok() && claims->user_id == uint64_t{1} + at(0) && claims->epoch == at(1));
  std::string forged = issued.token;
  char& changed = forged[(size_t{at(2)} * 256 + at(3)) % forged.size()];
  changed = input.size() > 4 && input[4] != changed ? input[4] : static_cast<char>(changed ^ 1);
  FUZZ_CHECK(!jwt.Verify(forged, kNow).ok());
}

void TryBase64(std::string_view text) {
  FUZZ_CHECK(auth::DecodeBase64Url(auth::EncodeBase64Url(text)) == text);
  if (const auto bytes = auth::DecodeBase64Url(text))
    FUZZ_CHECK(auth::EncodeBase64Url(*bytes) == text);
}

void TryAccessToken(std::string_view text) {
  const auto sealer = auth::AccessTokenSealer::Create(auth::Secret(std::string(kKey)));
  FUZZ_CHECK(sealer.ok());
  (void)auth::ShownToken(text);
  // A row in clear text, or one that somebody wrote, opens nothing.
  FUZZ_CHECK(!sealer->Matches(text, text));
  const auto sealed = sealer->Seal(text);
  if (sealed) {
    FUZZ_CHECK(sealer->Matches(text, *sealed));
    FUZZ_CHECK(!auth::IsClearText(*sealed));
    FUZZ_CHECK(sealed->find(text) == std::string::npos);
    FUZZ_CHECK(auth::ShownToken(*sealed).find(text.substr(0, 20)) == std::string::npos);
    FUZZ_CHECK(!sealer->Matches(absl::StrCat("x", std::string(text)), *sealed));
  }
  auth::AccessToken token;
  token.active = true;
  token.expires_at = kNow + absl::Hours(1);
  FUZZ_CHECK(!auth::CheckAccessToken(token, text, kNow).ok());  // without scopes
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  static const auth::Jwt jwt = MakeJwt();
  const std::string_view text = TextOf(data, size);
  TryToken(jwt, text);
  TryClaims(jwt, text);
  TryHeader(jwt, text);
  TryForgery(jwt, text);
  TryBase64(text);
  TryAccessToken(text);
  return 0;
}
