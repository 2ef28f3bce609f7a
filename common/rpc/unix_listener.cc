#include "common/rpc/unix_listener.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "common/status/reason.h"

namespace dragonfly::common::rpc {
namespace {

using status::ErrorReason;
using status::MakeStatus;

// Connections get descriptors from here on, in turn, so that a number is not used again soon.
constexpr int kFirstDescriptor = 200;
constexpr int kMaxDescriptor = 60'000;
constexpr int kBacklog = 512;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) (void)close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status Failed(const std::string& path, const std::string& what, int error) {
  ErrorReason reason = ErrorReason::kInternal;
  if (error == EACCES || error == EPERM) reason = ErrorReason::kForbidden;
  if (error == ENOENT || error == ENOTDIR) reason = ErrorReason::kNotFound;
  return MakeStatus(absl::StatusCode::kFailedPrecondition, reason,
                    "unix socket " + path + ": " + what + ": " + std::strerror(error));
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path) ||
      path.find('\0') != std::string::npos) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      "unix socket path '" + path + "': must have 1 to " +
                          std::to_string(sizeof(address.sun_path) - 1) +
                          " characters; choose a shorter path");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

PeerCredentials CredentialsOfSocket(int fd) {
  ucred kernel{};
  socklen_t size = sizeof(kernel);
  PeerCredentials out;
  out.uid = static_cast<uid_t>(-1);  // nobody, should the kernel not say
  out.gid = static_cast<gid_t>(-1);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &kernel, &size) == 0) {
    out.pid = kernel.pid;
    out.uid = kernel.uid;
    out.gid = kernel.gid;
  }
  return out;
}

// Removes what a process that is gone has left; refuses everything else that is in the way.
absl::Status MakeWay(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Failed(path, "stat", errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kConflict,
                      "unix socket " + path +
                          ": a file that is no socket is in the way; remove it or choose "
                          "another path");
  }
  Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return Failed(path, "socket", errno);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (connect(probe.get(), generic, sizeof(address)) == 0 || errno == EAGAIN) {
    const PeerCredentials owner = CredentialsOfSocket(probe.get());
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kConflict,
                      "unix socket " + path + ": process " + std::to_string(owner.pid) +
                          " is listening on it; stop that process or choose another path");
  }
  if (errno != ECONNREFUSED) return Failed(path, "connect", errno);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return Failed(path, "unlink", errno);
  return absl::OkStatus();
}

}  // namespace

struct UnixListener::Impl {
  std::string path;
  Descriptor socket;
  Descriptor wake;
  dev_t device = 0;
  ino_t inode = 0;
  int next_descriptor = kFirstDescriptor;
  Accepted accepted;
  std::function<void()> on_exhausted;
  std::thread thread;

  // Waits until there is a connection (true) or an end (false); `timeout` -1 for no limit.
  bool Wait(bool for_connection, int timeout) const {
    pollfd fds[2] = {{wake.get(), POLLIN, 0}, {socket.get(), POLLIN, 0}};
    (void)poll(fds, for_connection ? 2 : 1, timeout);
    return fds[0].revents == 0;
  }

  // The connection under the next number in turn, or as it is when there is none.
  int TakeNumber(Descriptor connection) {
    rlimit limit{};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    const auto most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMaxDescriptor));
    if (next_descriptor >= most) next_descriptor = kFirstDescriptor;
    const int numbered = fcntl(connection.get(), F_DUPFD_CLOEXEC, next_descriptor);
    if (numbered < 0) {
      next_descriptor = kFirstDescriptor;
      return connection.Release();
    }
    next_descriptor = numbered + 1;
    return numbered;
  }

  void Run() {
    while (Wait(true, -1)) {
      Descriptor connection(accept4(socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection.get() < 0) {
        // Out of descriptors: the connection stays in the backlog, and without a pause this would
        // spin.
        const bool exhausted =
            errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (exhausted && on_exhausted) on_exhausted();
        if (exhausted && !Wait(false, 100)) return;
        continue;
      }
      const PeerCredentials credentials = CredentialsOfSocket(connection.get());
      const int fd = TakeNumber(std::move(connection));
      RememberCredentials(fd, credentials);
      accepted(fd, credentials);
    }
  }
};

UnixListener::UnixListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Bind(const std::string& path,
                                                                 unsigned int mode) {
  absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  absl::Status way = MakeWay(path, *address);
  if (!way.ok()) return way;

  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->socket = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (impl->socket.get() < 0) return Failed(path, "socket", errno);
  impl->wake = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (impl->wake.get() < 0) return Failed(path, "eventfd", errno);
  // Linux makes the file with the mode of the socket less the umask, so it is never wider than
  // asked for; chmod then gives back what the umask took.
  if (fchmod(impl->socket.get(), mode) != 0) return Failed(path, "fchmod", errno);
  const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
  if (bind(impl->socket.get(), generic, sizeof(*address)) != 0) return Failed(path, "bind", errno);
  if (chmod(path.c_str(), mode) != 0) return Failed(path, "chmod", errno);
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return Failed(path, "stat", errno);
  impl->device = info.st_dev;
  impl->inode = info.st_ino;
  if (listen(impl->socket.get(), kBacklog) != 0) return Failed(path, "listen", errno);
  return std::unique_ptr<UnixListener>(new UnixListener(std::move(impl)));
}

UnixListener::~UnixListener() {
  Stop();
  struct stat info {};
  if (lstat(impl_->path.c_str(), &info) == 0 && info.st_dev == impl_->device &&
      info.st_ino == impl_->inode) {
    (void)unlink(impl_->path.c_str());
  }
}

void UnixListener::Start(Accepted accepted, std::function<void()> exhausted) {
  impl_->accepted = std::move(accepted);
  impl_->on_exhausted = std::move(exhausted);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  pthread_setname_np(impl_->thread.native_handle(), "unix-accept");
}

void UnixListener::Stop() {
  if (!impl_->thread.joinable()) return;
  const uint64_t one = 1;
  (void)!write(impl_->wake.get(), &one, sizeof(one));
  impl_->thread.join();
}

}  // namespace dragonfly::common::rpc
