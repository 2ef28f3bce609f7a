#include "dfdaemon/storage/scoped_identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::storage {
namespace {

// The C library's setgroups changes every thread; the system call only this one.
bool SetThreadGroups(const std::vector<gid_t>& groups) {
  return syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

std::vector<gid_t> GroupsOf(uid_t uid, gid_t gid) {
  std::vector<char> buffer(16 << 10);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return {gid};
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  if (getgrouplist(found->pw_name, gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
    if (getgrouplist(found->pw_name, gid, groups.data(), &count) < 0) return {gid};
  }
  groups.resize(static_cast<size_t>(count));
  return groups;
}

bool SetFileIds(uid_t uid, gid_t gid) {
  // These two report nothing; asking again with an impossible id tells what is in force.
  setfsgid(gid);
  setfsuid(uid);
  return static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))) == gid &&
         static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))) == uid;
}

}  // namespace

ScopedIdentity::ScopedIdentity(std::optional<uint32_t> uid, std::optional<uint32_t> gid) {
  if (!uid.has_value() || *uid == geteuid()) return;
  if (geteuid() != 0) {
    status_ = common::status::MakeStatus(
        absl::StatusCode::kPermissionDenied, common::status::ErrorReason::kForbidden,
        absl::StrCat("this dfdaemon runs as user ", geteuid(), " and cannot write files for user ",
                     *uid, "; run dfget as that user, or dfdaemon as root"));
    return;
  }
  const gid_t group = gid.value_or(getegid());
  const int count = getgroups(0, nullptr);
  own_groups_.resize(static_cast<size_t>(count < 0 ? 0 : count));
  if (count > 0) own_groups_.resize(static_cast<size_t>(getgroups(count, own_groups_.data())));
  changed_ = true;
  if (!SetThreadGroups(GroupsOf(*uid, group)) || !SetFileIds(*uid, group)) {
    status_ = common::status::MakeStatus(absl::StatusCode::kPermissionDenied,
                                         common::status::ErrorReason::kForbidden,
                                         absl::StrCat("cannot take the rights of user ", *uid));
  }
}

ScopedIdentity::~ScopedIdentity() {
  if (!changed_) return;
  if (!SetFileIds(geteuid(), getegid()) || !SetThreadGroups(own_groups_)) std::abort();
}

}  // namespace dragonfly::dfdaemon::storage
