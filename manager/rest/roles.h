#pragma once

#include "manager/rest/call.h"
#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// Roles, what they may do, and who has them. Every change is one transaction and counts at once in
// this manager, in others after RestOptions::max_age.
//
// Beyond the original: nobody but root gives or changes the role root, the last root stays one, and
// a permission that guests could never use is refused.
absl::StatusOr<Answer> ListRoles(Call& call);
absl::StatusOr<Answer> ShowRole(Call& call);
absl::StatusOr<Answer> MakeRole(Call& call);
absl::StatusOr<Answer> DeleteRole(Call& call);
absl::StatusOr<Answer> AddPermission(Call& call);
absl::StatusOr<Answer> RemovePermission(Call& call);
absl::StatusOr<Answer> ListPermissions(Call& call);
absl::StatusOr<Answer> ListRolesOfUser(Call& call);
absl::StatusOr<Answer> GiveRole(Call& call);
absl::StatusOr<Answer> TakeRole(Call& call);

std::vector<Member> RoleMembers();
std::vector<Member> PermissionMembers();

}  // namespace dragonfly::manager::rest
