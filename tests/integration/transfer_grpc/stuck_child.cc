#include "tests/integration/transfer_grpc/stuck_child.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::transfer::grpc::testing {
namespace {

// RFC 9113, section 4.1.
std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  std::string out;
  const auto put = [&out](uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i)
      out.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
  };
  put(payload.size(), 3);
  put(type, 1);
  put(flags, 1);
  put(stream, 4);
  return out + payload;
}

// RFC 7541, section 6.2.2: a literal field with a new name; names and values below 127 bytes.
std::string Field(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out.push_back(static_cast<char>(name.size()));
  out += name;
  out.push_back(static_cast<char>(value.size()));
  out += value;
  return out;
}

}  // namespace

StuckChild::StuckChild(const common::net::Endpoint& parent, const std::string& task_id,
                       uint32_t number) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(parent.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);

  ::dfdaemon::v2::DownloadPieceRequest request;
  request.set_host_id("stuck");
  request.set_task_id(task_id);
  request.set_piece_number(number);
  const std::string message = request.SerializeAsString();
  std::string body(4, '\0');
  body.push_back(static_cast<char>(message.size()));
  body += message;

  const std::string no_window("\0\x04\0\0\0\0", 6);  // SETTINGS_INITIAL_WINDOW_SIZE = 0
  std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  bytes += Frame(4, 0, 0, no_window);
  bytes += Frame(1, 4, 1,
                 Field(":method", "POST") + Field(":scheme", "http") +
                     Field(":path", "/dfdaemon.v2.DfdaemonUpload/DownloadPiece") +
                     Field(":authority", "parent") + Field("te", "trailers") +
                     Field("content-type", "application/grpc"));
  bytes += Frame(0, 1, 1, body);
  EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

StuckChild::~StuckChild() { close(fd_); }

}  // namespace dragonfly::dfdaemon::transfer::grpc::testing
