#pragma once

#include "manager/rest/call.h"
#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// Signing up, in and out, passwords. Each counts as an attempt where it could be used for guessing
// (auth::AttemptLimiter), takes the same time whether or not there is such a user, and answers with
// the cookie.
absl::StatusOr<Answer> SignUp(Call& call);
absl::StatusOr<Answer> SignIn(Call& call);
absl::StatusOr<Answer> SignOut(Call& call);
absl::StatusOr<Answer> RefreshToken(Call& call);
absl::StatusOr<Answer> ResetPassword(Call& call);

std::vector<Member> SignUpMembers();
std::vector<Member> SignInMembers();
std::vector<Member> ResetPasswordMembers();
Shape IssuedTokenShape();

}  // namespace dragonfly::manager::rest
