#include "common/async/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "common/async/asio.h"
#include "common/net/listening_socket.h"
#include "common/status/reason.h"

namespace dragonfly::common::async {
namespace {

using boost::asio::socket_base;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;
using status::ErrorReason;
using status::MakeStatus;

// One transfer call to the kernel; more would hold the other coroutines of the thread up.
constexpr size_t kMaxBytesPerCall = size_t{1} << 20;
// So many calls may succeed at once before the others of the thread get their turn.
constexpr int kMaxImmediateCalls = 16;

AsioTcp::endpoint ToAsio(const net::Endpoint& endpoint) {
  if (endpoint.ip.is_v6()) {
    address_v6::bytes_type octets{};
    std::copy_n(endpoint.ip.bytes().begin(), octets.size(), octets.begin());
    return {address_v6(octets, endpoint.ip.scope_id()), endpoint.port};
  }
  address_v4::bytes_type octets{};
  std::copy_n(endpoint.ip.bytes().begin(), octets.size(), octets.begin());
  return {address_v4(octets), endpoint.port};
}

net::Endpoint FromAsio(const AsioTcp::endpoint& endpoint) {
  net::Endpoint out;
  out.port = endpoint.port();
  if (endpoint.address().is_v4()) {
    out.ip = net::IpAddress::V4(endpoint.address().to_v4().to_bytes());
    return out;
  }
  const address_v6 v6 = endpoint.address().to_v6();
  if (v6.is_v4_mapped()) {  // a peer of a dual-stack listener
    const address_v4 v4 =
        boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped_t::v4_mapped, v6);
    out.ip = net::IpAddress::V4(v4.to_bytes());
  } else {
    out.ip = net::IpAddress::V6(v6.to_bytes(), static_cast<uint32_t>(v6.scope_id()));
  }
  return out;
}

absl::Status SocketError(int error, std::string_view what, const net::Endpoint& peer) {
  std::string message(what);
  message += " " + peer.ToString() + ": ";
  if (error == ECANCELED || error == EBADF) {
    return MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled,
                      message + "the stream was closed");
  }
  message += std::strerror(error);
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
    return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded, message);
  }
  if (error == EIO)
    return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kDiskFault, message);
  return absl::UnavailableError(message);
}

void SetInt(int fd, int level, int name, int value) {
  // Tuning only: a kernel that refuses costs speed, not correctness.
  (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void Tune(int fd, const TcpStream::Options& options) {
  if (options.no_delay) SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keepalive) {
    SetInt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    SetInt(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
    SetInt(fd, IPPROTO_TCP, TCP_KEEPINTVL, 3);
    SetInt(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  }
  constexpr size_t kMaxBuffer = std::numeric_limits<int>::max();
  if (options.send_buffer_bytes > 0) {
    SetInt(fd, SOL_SOCKET, SO_SNDBUF,
           static_cast<int>(std::min(options.send_buffer_bytes, kMaxBuffer)));
  }
  if (options.receive_buffer_bytes > 0) {
    SetInt(fd, SOL_SOCKET, SO_RCVBUF,
           static_cast<int>(std::min(options.receive_buffer_bytes, kMaxBuffer)));
  }
}

class AsioTcpStream final : public TcpStream {
 public:
  AsioTcpStream(AsioTcpSocket socket, net::Endpoint peer)
      : socket_(std::move(socket)), peer_(peer) {
    AsioError ignored;
    socket_.native_non_blocking(true, ignored);
  }

  Co<absl::StatusOr<size_t>> ReadSome(CancelScope& scope, std::span<std::byte> out) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    if (out.empty()) co_return size_t{0};
    const size_t want = std::min(out.size(), kMaxBytesPerCall);
    while (true) {
      const ssize_t got = recv(fd(), out.data(), want, MSG_DONTWAIT);
      const int error = errno;
      if (got > 0) {
        absl::Status turn = co_await TakeTurns(scope);
        if (!turn.ok()) co_return turn;
        co_return static_cast<size_t>(got);
      }
      if (got == 0) co_return absl::OutOfRangeError(peer_.ToString() + " ended the stream");
      if (error == EINTR) continue;
      if (!WouldBlock(error)) co_return SocketError(error, "reading from", peer_);
      absl::Status ready = co_await WaitFor(scope, socket_base::wait_read, "reading from");
      if (!ready.ok()) co_return ready;
    }
  }

  Co<absl::Status> WriteAll(CancelScope& scope, std::span<const std::byte> data) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    while (!data.empty()) {
      const ssize_t sent = send(fd(), data.data(), std::min(data.size(), kMaxBytesPerCall),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
      const int error = errno;
      if (sent >= 0) {
        data = data.subspan(static_cast<size_t>(sent));
        absl::Status turn = co_await TakeTurns(scope);
        if (!turn.ok()) co_return turn;
        continue;
      }
      if (error == EINTR) continue;
      if (!WouldBlock(error)) co_return SocketError(error, "writing to", peer_);
      absl::Status ready = co_await WaitFor(scope, socket_base::wait_write, "writing to");
      if (!ready.ok()) co_return ready;
    }
    co_return absl::OkStatus();
  }

  absl::StatusOr<size_t> TryRead(std::span<std::byte> out) override {
    while (true) {
      const ssize_t got =
          recv(fd(), out.data(), std::min(out.size(), kMaxBytesPerCall), MSG_DONTWAIT);
      const int error = errno;
      if (got > 0) return static_cast<size_t>(got);
      if (got == 0) return absl::OutOfRangeError(peer_.ToString() + " ended the stream");
      if (error == EINTR) continue;
      if (WouldBlock(error)) return size_t{0};
      return SocketError(error, "reading from", peer_);
    }
  }

  absl::StatusOr<size_t> TryWrite(std::span<const std::byte> data) override {
    while (true) {
      const ssize_t sent = send(fd(), data.data(), std::min(data.size(), kMaxBytesPerCall),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
      const int error = errno;
      if (sent >= 0) return static_cast<size_t>(sent);
      if (error == EINTR) continue;
      if (WouldBlock(error)) return size_t{0};
      return SocketError(error, "writing to", peer_);
    }
  }

  Co<absl::Status> WaitReadable(CancelScope& scope) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    absl::Status ready = co_await WaitFor(scope, socket_base::wait_read, "reading from");
    co_return ready;
  }

  Co<absl::Status> WaitWritable(CancelScope& scope) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    absl::Status ready = co_await WaitFor(scope, socket_base::wait_write, "writing to");
    co_return ready;
  }

  void SetReadLowWater(size_t bytes) override {
    constexpr size_t kMax = std::numeric_limits<int>::max();
    SetInt(fd(), SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(std::min(bytes, kMax)));
  }

  Co<absl::Status> SendFile(CancelScope& scope, int file_descriptor, uint64_t offset,
                            uint64_t length) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    constexpr auto kMaxOffset = static_cast<uint64_t>(std::numeric_limits<off_t>::max());
    if (offset > kMaxOffset || length > kMaxOffset - offset) {
      co_return absl::InvalidArgumentError("sendfile: offset " + std::to_string(offset) +
                                           " plus length " + std::to_string(length) +
                                           " is beyond any file");
    }
    auto position = static_cast<off_t>(offset);
    while (length > 0) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(length, kMaxBytesPerCall));
      const ssize_t sent = sendfile(fd(), file_descriptor, &position, want);
      const int error = errno;
      if (sent == 0) {
        co_return absl::DataLossError("sendfile: the file ends " + std::to_string(length) +
                                      " bytes before the range that was promised to " +
                                      peer_.ToString());
      }
      if (sent > 0) {
        length -= static_cast<uint64_t>(sent);
        absl::Status turn = co_await TakeTurns(scope);
        if (!turn.ok()) co_return turn;
        continue;
      }
      if (error == EINTR) continue;
      if (!WouldBlock(error)) co_return SocketError(error, "sending a file to", peer_);
      absl::Status ready = co_await WaitFor(scope, socket_base::wait_write, "sending a file to");
      if (!ready.ok()) co_return ready;
    }
    co_return absl::OkStatus();
  }

  void Cork(bool more) override { SetInt(fd(), IPPROTO_TCP, TCP_CORK, more ? 1 : 0); }

  void ShutdownWrite() override {
    AsioError ignored;
    socket_.shutdown(socket_base::shutdown_send, ignored);
  }

  void Close() override {
    AsioError ignored;
    socket_.close(ignored);
  }

  const net::Endpoint& peer() const override { return peer_; }

  int fd() const override {
    // native_handle() is not const in Asio, and asks nothing of the socket.
    return const_cast<AsioTcpSocket&>(socket_).native_handle();
  }

 private:
  static bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

  // A stream in the middle of a message is of no use: it goes with its scope.
  absl::Status CancelledBy(const CancelScope& scope) {
    Close();
    return scope.status();
  }

  Co<absl::Status> WaitFor(CancelScope& scope, socket_base::wait_type what,
                           std::string_view doing) {
    immediate_calls_ = 0;
    CancelScope::Watch watch = scope.OnCancel([this] { Close(); });
    AsioError error;
    co_await socket_.async_wait(what, OrError(error));
    if (scope.cancelled()) co_return CancelledBy(scope);
    if (error) co_return SocketError(error.value(), doing, peer_);
    co_return absl::OkStatus();
  }

  Co<absl::Status> TakeTurns(CancelScope& scope) {
    if (++immediate_calls_ < kMaxImmediateCalls) co_return absl::OkStatus();
    immediate_calls_ = 0;
    absl::Status turn = co_await NextTurn(scope);
    if (!turn.ok()) Close();
    co_return turn;
  }

  AsioTcpSocket socket_;
  const net::Endpoint peer_;
  int immediate_calls_ = 0;
};

class AsioTcpListener final : public TcpListener {
 public:
  using Acceptor = boost::asio::basic_socket_acceptor<AsioTcp, Executor>;

  AsioTcpListener(Acceptor acceptor, net::Endpoint endpoint)
      : acceptor_(std::move(acceptor)), endpoint_(endpoint) {}

  Co<absl::StatusOr<std::unique_ptr<TcpStream>>> Accept(CancelScope& scope, Executor executor,
                                                        TcpStream::Options options) override {
    while (true) {
      if (scope.cancelled()) co_return scope.status();
      if (!acceptor_.is_open()) co_return Closed();
      sockaddr_storage storage{};
      socklen_t size = sizeof(storage);
      // The views of one address that the socket API is made of.
      auto* address = reinterpret_cast<sockaddr*>(&storage);
      const int fd =
          accept4(acceptor_.native_handle(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      const int error = errno;
      if (fd >= 0) {
        Tune(fd, options);
        AsioTcp::endpoint peer;
        std::memcpy(peer.data(), &storage, std::min<size_t>(size, peer.capacity()));
        peer.resize(size);
        AsioTcpSocket socket(executor);
        AsioError assigned;
        socket.assign(protocol(), fd, assigned);
        if (assigned) {
          (void)::close(fd);
          co_return SocketError(assigned.value(), "accepting from", FromAsio(peer));
        }
        co_return std::make_unique<AsioTcpStream>(std::move(socket), FromAsio(peer));
      }
      absl::Status ready = co_await AfterFailure(scope, error);
      if (!ready.ok()) co_return ready;
    }
  }

  const net::Endpoint& endpoint() const override { return endpoint_; }

  void OnExhausted(std::function<void()> told) override { on_exhausted_ = std::move(told); }

  void Close() override {
    AsioError ignored;
    acceptor_.close(ignored);
  }

 private:
  AsioTcp protocol() const { return endpoint_.ip.is_v6() ? AsioTcp::v6() : AsioTcp::v4(); }

  absl::Status Closed() const {
    return MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kShutdown,
                      "listener " + endpoint_.ToString() + " was closed");
  }

  // OK when accept is worth another try.
  Co<absl::Status> AfterFailure(CancelScope& scope, int error) {
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      // The connection stays in the backlog and the socket readable: without a pause this would
      // spin.
      if (on_exhausted_) on_exhausted_();
      absl::Status slept = co_await Sleep(scope, absl::Milliseconds(100));
      co_return slept;
    }
    if (error == EBADF || error == EINVAL || error == ENOTSOCK) co_return Closed();
    // Everything else is the fault of the connection that was to be accepted (accept(2)).
    if (error != EAGAIN && error != EWOULDBLOCK) co_return absl::OkStatus();
    CancelScope::Watch watch = scope.OnCancel([this] {
      AsioError ignored;
      acceptor_.cancel(ignored);
    });
    AsioError waited;
    co_await acceptor_.async_wait(socket_base::wait_read, OrError(waited));
    if (scope.cancelled()) co_return scope.status();
    if (waited) co_return Closed();
    co_return absl::OkStatus();
  }

  Acceptor acceptor_;
  const net::Endpoint endpoint_;
  std::function<void()> on_exhausted_;
};

}  // namespace

Co<absl::Status> TcpStream::ReadExactly(CancelScope& scope, std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    absl::StatusOr<size_t> got = co_await ReadSome(scope, out.subspan(done));
    if (!got.ok()) {
      if (done > 0 && absl::IsOutOfRange(got.status())) {
        co_return absl::DataLossError(peer().ToString() + " ended the stream after " +
                                      std::to_string(done) + " of " + std::to_string(out.size()) +
                                      " bytes");
      }
      co_return got.status();
    }
    done += *got;
  }
  co_return absl::OkStatus();
}

Co<absl::StatusOr<std::unique_ptr<TcpStream>>> TcpStream::Connect(CancelScope& scope,
                                                                  net::Endpoint to,
                                                                  Options options) {
  if (scope.cancelled()) co_return scope.status();
  AsioTcpSocket socket(scope.executor());
  AsioError error;
  const AsioTcp::endpoint endpoint = ToAsio(to);
  socket.open(endpoint.protocol(), error);
  if (error) co_return SocketError(error.value(), "connecting to", to);
  Tune(socket.native_handle(), options);
  CancelScope::Watch watch = scope.OnCancel([&socket] {
    AsioError ignored;
    socket.close(ignored);
  });
  co_await socket.async_connect(endpoint, OrError(error));
  if (scope.cancelled()) co_return scope.status();
  if (error) co_return SocketError(error.value(), "connecting to", to);
  co_return std::make_unique<AsioTcpStream>(std::move(socket), to);
}

absl::StatusOr<std::unique_ptr<TcpListener>> TcpListener::Bind(Executor executor, net::Endpoint at,
                                                               int backlog) {
  absl::StatusOr<net::ListeningSocket> socket = net::ListenTcp(at, backlog);
  if (!socket.ok()) return socket.status();
  AsioTcpListener::Acceptor acceptor(executor);
  AsioError error;
  acceptor.assign(at.ip.is_v6() ? AsioTcp::v6() : AsioTcp::v4(), socket->fd.get(), error);
  if (error) {
    return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kInternal,
                      "listening on " + at.ToString() + ": " + error.message());
  }
  (void)socket->fd.Release();
  return std::make_unique<AsioTcpListener>(std::move(acceptor), socket->endpoint);
}

}  // namespace dragonfly::common::async
