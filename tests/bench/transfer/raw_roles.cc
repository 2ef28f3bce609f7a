// The baseline: what the two kernels do at the least to move a file over TCP into a new one.
// Blocking calls, one thread a connection, no checksum, no bookkeeping.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/bench/transfer/process.h"
#include "tests/bench/transfer/roles.h"

namespace dragonfly::bench {
namespace {

// Native integers: both ends are this program.
struct Ask {
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t buffer = 0;  // of the sender; 0: sendfile
};

bool ReceiveAll(int fd, void* data, size_t size) {
  return recv(fd, data, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

void SendAll(int fd, const unsigned char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent <= 0) Die("raw parent: send failed");
    data += sent;
    size -= static_cast<size_t>(sent);
  }
}

void ServeAsk(int fd, int file, const Ask& ask, std::vector<unsigned char>& buffer) {
  auto offset = static_cast<off_t>(ask.offset);
  uint64_t left = ask.length;
  if (ask.buffer == 0) {
    while (left > 0) {
      const ssize_t sent = sendfile(fd, file, &offset, static_cast<size_t>(left));
      if (sent <= 0) Die("raw parent: sendfile failed");
      left -= static_cast<uint64_t>(sent);
    }
    return;
  }
  if (buffer.size() < ask.buffer) buffer.resize(static_cast<size_t>(ask.buffer));
  while (left > 0) {
    const auto size = static_cast<size_t>(std::min(left, ask.buffer));
    if (pread(file, buffer.data(), size, offset) != static_cast<ssize_t>(size))
      Die("raw parent: pread failed");
    SendAll(fd, buffer.data(), size);
    offset += static_cast<off_t>(size);
    left -= size;
  }
}

void ServeConnection(int fd, int file) {
  std::vector<unsigned char> buffer;
  Ask ask;
  while (ReceiveAll(fd, &ask, sizeof(ask))) ServeAsk(fd, file, ask, buffer);
  close(fd);
}

int MakeFile(const RoleOptions& options) {
  const std::string path = options.dir + "/content";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) Die("cannot create " + path);
  std::vector<unsigned char> block(size_t{1} << 20);
  for (uint64_t offset = 0; offset < options.content_bytes; offset += block.size()) {
    const auto size =
        static_cast<size_t>(std::min<uint64_t>(block.size(), options.content_bytes - offset));
    FillContent(options.seed, offset, block.data(), size);
    if (pwrite(file, block.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
      Die("cannot write " + path);
  }
  return file;
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Connect(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    Die("raw child: connect failed");
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

// One connection's share: every n-th piece.
void FetchPieces(const RoleOptions& options, uint16_t port, int file, size_t first,
                 bool use_sendfile, size_t buffer_bytes) {
  const int fd = Connect(port);
  std::vector<unsigned char> buffer(buffer_bytes);
  const uint64_t step = options.connections * options.piece_bytes;
  for (uint64_t start = first * options.piece_bytes; start < options.content_bytes; start += step) {
    Ask ask;
    ask.offset = start;
    ask.length = std::min(options.piece_bytes, options.content_bytes - start);
    ask.buffer = use_sendfile ? 0 : buffer_bytes;
    if (send(fd, &ask, sizeof(ask), MSG_NOSIGNAL) != sizeof(ask)) Die("raw child: send failed");
    uint64_t done = 0;
    while (done < ask.length) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(buffer.size(), ask.length - done));
      const ssize_t got = recv(fd, buffer.data(), want, 0);
      if (got <= 0) Die("raw child: the parent ended");
      if (pwrite(file, buffer.data(), static_cast<size_t>(got), static_cast<off_t>(start + done)) !=
          got)
        Die("raw child: pwrite failed");
      done += static_cast<uint64_t>(got);
    }
  }
  close(fd);
}

std::string RunOnce(const RoleOptions& options, const std::string& command) {
  std::istringstream in(command);
  std::string verb;
  unsigned port = 0;
  std::string mode;
  size_t buffer = 0;
  in >> verb >> port >> mode >> buffer;
  const std::string path = options.dir + "/copy";
  const auto began = std::chrono::steady_clock::now();
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) Die("cannot create " + path);
  if (posix_fallocate(file, 0, static_cast<off_t>(options.content_bytes)) != 0)
    Die("cannot preallocate " + path);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < options.connections; ++i) {
    threads.emplace_back([&options, port, file, i, &mode, buffer] {
      FetchPieces(options, static_cast<uint16_t>(port), file, i, mode == "sendfile", buffer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  close(file);
  unlink(path.c_str());
  return std::to_string(took.count());
}

}  // namespace

void FillContent(uint64_t seed, uint64_t offset, unsigned char* out, size_t size) {
  // Any byte depends on seed and place only. Offsets and sizes are multiples of 8 but for the end.
  for (size_t i = 0; i < size; i += 8) {
    uint64_t x = (offset + i) / 8 + seed * 0x9e3779b97f4a7c15ULL;
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 29;
    std::memcpy(out + i, &x, std::min<size_t>(8, size - i));
  }
}

void RunRawParent(const RoleOptions& options) {
  const int file = MakeFile(options);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 1024) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    Die("raw parent: cannot listen");
  std::thread([listener, file] {
    while (true) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      std::thread(ServeConnection, fd, file).detach();
    }
  }).detach();
  ServeCommands(
      std::to_string(ntohs(address.sin_port)),
      [](void*, const std::string&) { return std::string("error unknown command"); }, nullptr);
  _exit(0);  // with its threads
}

void RunRawChild(const RoleOptions& options) {
  RoleOptions own = options;
  ServeCommands(
      "ready",
      [](void* context, const std::string& command) {
        return RunOnce(*static_cast<RoleOptions*>(context), command);
      },
      &own);
}

}  // namespace dragonfly::bench
