#include "common/redis/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/net/endpoint.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::redis {
namespace {

using async::CancelScope;
using async::Co;
using status::ErrorReason;
using status::MakeStatus;
using status::StdView;

constexpr size_t kReadBytes = size_t{16} << 10U;

struct FreeAddresses {
  void operator()(addrinfo* it) const { freeaddrinfo(it); }
};

absl::StatusOr<std::vector<net::Endpoint>> LookUp(const HostPort& server) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(server.host.c_str(), nullptr, &hints, &found);
  if (failed != 0) {
    return MakeStatus(
        absl::StatusCode::kUnavailable, ErrorReason::kOriginUnreachable,
        StdView(absl::StrCat("the name ", server.host, " is not known: ", gai_strerror(failed))));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> owner(found);
  std::vector<net::Endpoint> out;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    net::Endpoint endpoint;
    endpoint.port = server.port;
    if (one->ai_family == AF_INET) {
      sockaddr_in address = {};
      std::memcpy(&address, one->ai_addr, sizeof(address));
      std::array<uint8_t, 4> octets{};
      std::memcpy(octets.data(), &address.sin_addr, octets.size());
      endpoint.ip = net::IpAddress::V4(octets);
    } else if (one->ai_family == AF_INET6) {
      sockaddr_in6 address = {};
      std::memcpy(&address, one->ai_addr, sizeof(address));
      std::array<uint8_t, 16> octets{};
      std::memcpy(octets.data(), &address.sin6_addr, octets.size());
      endpoint.ip = net::IpAddress::V6(octets, address.sin6_scope_id);
    } else {
      continue;
    }
    out.push_back(endpoint);
  }
  return out;
}

Co<absl::StatusOr<std::vector<net::Endpoint>>> AddressesOf(CancelScope& scope, HostPort server,
                                                           async::BlockingPool* names) {
  const absl::StatusOr<net::IpAddress> literal = net::IpAddress::Parse(server.host);
  if (literal.ok()) co_return std::vector<net::Endpoint>{net::Endpoint{*literal, server.port}};
  if (names == nullptr) co_return literal.status();
  co_return co_await async::RunBlocking(*names, scope, [server] { return LookUp(server); });
}

Co<absl::StatusOr<std::unique_ptr<async::TcpStream>>> Connect(CancelScope& scope, HostPort server,
                                                              Connection::Options options) {
  absl::StatusOr<std::vector<net::Endpoint>> addresses =
      co_await AddressesOf(scope, server, options.names);
  if (!addresses.ok()) co_return addresses.status();
  absl::Status failed = absl::UnavailableError("it has no address");
  for (const net::Endpoint& address : *addresses) {
    async::TcpStream::Options stream_options;
    absl::StatusOr<std::unique_ptr<async::TcpStream>> stream =
        co_await async::TcpStream::Connect(scope, address, stream_options);
    if (scope.cancelled()) co_return scope.status();
    failed = stream.status();
    if (!stream.ok()) continue;
    if (options.tls == nullptr) co_return stream;
    co_return co_await options.tls->Handshake(scope, *std::move(stream), server.host);
  }
  co_return failed;
}

absl::Status Named(const absl::Status& status, const HostPort& server, std::string_view command) {
  return status::Annotate(
      status, StdView(absl::StrCat("redis ", server.ToString(), ": ", status::Sv(command))));
}

}  // namespace

std::string HostPort::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  HostPort out;
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const uint16_t port = status::ParseInteger<uint16_t>(digits).value_or(0);
  const bool brackets = host.size() != text.substr(0, colon).size();
  const bool literal = net::IpAddress::Parse(host).ok();
  const bool name = !host.empty() && host.size() <= 255 &&
                    host.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-_") == std::string_view::npos;
  const bool valid_host = brackets ? literal : name;
  if (port == 0 || !valid_host) {
    return status::Invalid(StdView(absl::StrCat("\"", status::Sv(text.substr(0, 300)),
                                                "\" is no address; write it as host:port")));
  }
  out.host = std::string(host);
  out.port = port;
  return out;
}

Connection::Connection(HostPort server, std::unique_ptr<async::TcpStream> stream,
                       size_t max_reply_bytes)
    : server_(std::move(server)), stream_(std::move(stream)), reader_(max_reply_bytes) {}

Co<absl::StatusOr<std::unique_ptr<Connection>>> Connection::Open(CancelScope& scope,
                                                                 HostPort server, Login login,
                                                                 Options options) {
  absl::StatusOr<std::unique_ptr<async::TcpStream>> stream =
      co_await Connect(scope, server, options);
  if (!stream.ok()) co_return Named(stream.status(), server, "connecting");
  std::unique_ptr<Connection> connection(
      new Connection(server, *std::move(stream), options.max_reply_bytes));
  std::vector<std::string> hello;
  if (!login.username.empty()) {
    hello = {"AUTH", login.username, login.password};
  } else if (!login.password.empty()) {
    hello = {"AUTH", login.password};
  }
  if (!hello.empty()) {
    absl::StatusOr<Reply> in = co_await connection->Call(scope, std::move(hello));
    // Whatever it says: the server does not take us.
    if (!in.ok() && !connection->broken() && !absl::IsUnavailable(in.status())) {
      co_return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized,
                           status::MessageOf(in.status()));
    }
    if (!in.ok()) co_return in.status();
  }
  // A new connection has database 0; Sentinels have no other, and no such command.
  if (login.database == 0) co_return connection;
  std::vector<std::string> select = {"SELECT", std::to_string(login.database)};
  absl::StatusOr<Reply> selected = co_await connection->Call(scope, std::move(select));
  if (!selected.ok()) co_return selected.status();
  co_return connection;
}

Co<absl::StatusOr<Reply>> Connection::Call(CancelScope& scope, std::vector<std::string> arguments) {
  const std::string name = arguments.empty() ? std::string() : arguments[0];
  absl::StatusOr<Reply> reply = co_await Exchange(scope, FormatCommand(arguments));
  if (!reply.ok()) {
    broken_ = true;
    const bool ended = absl::IsOutOfRange(reply.status());
    co_return Named(
        ended ? absl::UnavailableError("the server has closed the connection") : reply.status(),
        server_, name);
  }
  if (reply->type == Reply::Type::kError) {
    const absl::Status error = StatusOfError(reply->text);
    // A server that is a master no more, or does not know us any more: another connection may do
    // better, and finds out where the master is.
    broken_ = absl::IsUnavailable(error) || absl::IsUnauthenticated(error);
    co_return Named(error, server_, name);
  }
  co_return reply;
}

Co<absl::StatusOr<Reply>> Connection::Exchange(CancelScope& scope, std::string command) {
  const std::span<const char> text(command);
  absl::Status written = co_await stream_->WriteAll(scope, std::as_bytes(text));
  if (!written.ok()) co_return written;
  std::vector<std::byte> buffer(kReadBytes);
  while (true) {
    absl::StatusOr<std::optional<Reply>> reply = reader_.Next();
    if (!reply.ok()) co_return reply.status();
    if (reply->has_value()) co_return **std::move(reply);
    absl::StatusOr<size_t> got = co_await stream_->ReadSome(scope, buffer);
    if (!got.ok()) co_return got.status();
    reader_.Feed(std::span<const std::byte>(buffer.data(), *got));
  }
}

bool Connection::LooksAlive() {
  if (broken_) return false;
  // Between commands nothing may come: bytes are as bad as an end.
  std::array<std::byte, 1> byte{};
  const absl::StatusOr<size_t> got = stream_->TryRead(byte);
  return got.ok() && *got == 0;
}

}  // namespace dragonfly::common::redis
