#include "tests/unit/dfdaemon_transfer/raw_peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace dragonfly::dfdaemon::transfer {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

RawSocket::RawSocket(int fd) : fd_(fd) {
  const timeval limit{30, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) close(fd_);
}

int RawSocket::Connect(const common::net::Endpoint& to) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(to.port);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

void RawSocket::Send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the other end has its reasons
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

std::vector<std::byte> RawSocket::Receive(size_t size) {
  std::vector<std::byte> out(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t got = recv(fd_, out.data() + done, size - done, 0);
    if (got <= 0) {
      was_reset_ = got < 0 && errno == ECONNRESET;
      EXPECT_FALSE(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "nothing came";
      break;
    }
    done += static_cast<size_t>(got);
  }
  out.resize(done);
  return out;
}

std::vector<std::byte> RawSocket::ReceiveAll() {
  std::vector<std::byte> all;
  while (true) {
    const std::vector<std::byte> some = Receive(4096);
    all.insert(all.end(), some.begin(), some.end());
    if (some.size() < 4096) return all;
  }
}

void RawSocket::ShutdownWrite() { shutdown(fd_, SHUT_WR); }

void RawSocket::CloseWithReset() {
  const linger reset{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(std::exchange(fd_, -1));
}

RawParent::RawParent(std::function<void(RawSocket&)> script) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 16), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  endpoint_.ip = common::net::IpAddress::V4({127, 0, 0, 1});
  endpoint_.port = ntohs(address.sin_port);
  thread_ = std::thread([this, script = std::move(script)] {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      RawSocket socket(fd);
      script(socket);
    }
  });
}

RawParent::~RawParent() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

}  // namespace dragonfly::dfdaemon::transfer
