#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/peer.h"

namespace dragonfly::common::rpc {

// Accepts on a unix socket in a thread of its own and hands each connection on with the credentials
// of its peer, which gRPC's own listener does not tell.
class UnixListener {
 public:
  // Takes the descriptor over. Called on the listener's thread.
  using Accepted = std::function<void(int fd, const PeerCredentials& credentials)>;

  // Binds `path` with exactly `mode` from its first moment. The socket of a process that is gone is
  // replaced; one that answers is refused with its pid (FAILED_PRECONDITION), and so is any other
  // file.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Bind(const std::string& path,
                                                            unsigned int mode);
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  // Stops; removes the socket file unless somebody else's has taken its place.
  ~UnixListener();

  // Call once. `exhausted`, if not empty, is told when the process is out of descriptors; then
  // there is a pause of 100 ms.
  void Start(Accepted accepted, std::function<void()> exhausted = nullptr);
  void Stop();

 private:
  struct Impl;
  explicit UnixListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::rpc
