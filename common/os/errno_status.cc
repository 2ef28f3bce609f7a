#include "common/os/errno_status.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

using status::ErrorReason;

struct Meaning {
  absl::StatusCode code;
  ErrorReason reason;
};

Meaning MeaningOf(int error) {
  switch (error) {
    case ENOENT:
      return {absl::StatusCode::kNotFound, ErrorReason::kNotFound};
    case EEXIST:
    case ENOTEMPTY:
      return {absl::StatusCode::kAlreadyExists, ErrorReason::kConflict};
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:  // with O_NOFOLLOW: a symbolic link where a file was expected
      return {absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden};
    case ENOSPC:
    case EDQUOT:
      return {absl::StatusCode::kResourceExhausted, ErrorReason::kNoSpace};
    case EIO:
    case ENXIO:
    case ENODEV:
      return {absl::StatusCode::kDataLoss, ErrorReason::kDiskFault};
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return {absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded};
    case EWOULDBLOCK:
      return {absl::StatusCode::kAborted, ErrorReason::kConflict};
    case EOPNOTSUPP:
    case ENOSYS:
      return {absl::StatusCode::kUnimplemented, ErrorReason::kInvalidArgument};
    case EISDIR:
    case ENOTDIR:
    case EXDEV:
      return {absl::StatusCode::kFailedPrecondition, ErrorReason::kInvalidArgument};
    case EINVAL:
    case ENAMETOOLONG:
    case EFBIG:
      return {absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument};
    default:
      return {absl::StatusCode::kUnknown, ErrorReason::kInternal};
  }
}

}  // namespace

absl::Status ErrnoStatus(int error, std::string_view call, std::string_view path) {
  std::string message(call);
  if (!path.empty()) message.append(" ").append(path);
  message.append(": ").append(std::generic_category().message(error));
  const Meaning meaning = MeaningOf(error);
  return status::MakeStatus(meaning.code, meaning.reason, message);
}

}  // namespace dragonfly::common::os
