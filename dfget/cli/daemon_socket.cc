#include "dfget/cli/daemon_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfget::cli {
namespace {

std::string Why(int error) {
  switch (error) {
    case ENOENT:
      return "there is no such socket";
    case ECONNREFUSED:
      return "the socket is there, but nobody listens on it";
    case EACCES:
      return "this user may not open the socket; join the group that owns it";
    default:
      return std::strerror(error);
  }
}

}  // namespace

absl::Status DaemonUnreachable(const std::string& path, std::string_view why) {
  using common::status::Sv;
  return common::status::MakeStatus(
      absl::StatusCode::kUnavailable, common::status::ErrorReason::kDaemonUnreachable,
      common::status::StdView(absl::StrCat(
          "no dfdaemon answers on unix socket ", path, ": ", Sv(why),
          ". Start one with 'dfdaemon --config /etc/dragonfly/dfdaemon.yaml' or 'systemctl start"
          " dfdaemon', or name the socket of a running one with --endpoint")));
}

absl::Status ProbeDaemon(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return common::status::MakeStatus(
        absl::StatusCode::kInvalidArgument, common::status::ErrorReason::kInvalidArgument,
        common::status::StdView(absl::StrCat("--endpoint: '", path, "' has ", path.size(),
                                             " bytes; the path of a unix socket has 1 to ",
                                             sizeof address.sun_path - 1)));
  }
  path.copy(address.sun_path, path.size());
  const common::os::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return DaemonUnreachable(path, std::strerror(errno));
  const int connected =
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  // EAGAIN: a listener with a full queue; gRPC will wait for it.
  if (connected == 0 || errno == EAGAIN) return absl::OkStatus();
  return DaemonUnreachable(path, Why(errno));
}

}  // namespace dragonfly::dfget::cli
