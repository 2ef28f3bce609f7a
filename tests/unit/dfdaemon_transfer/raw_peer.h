#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/net/endpoint.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/transfer/block_pool.h"

namespace dragonfly::dfdaemon::transfer {

inline constexpr size_t kBlock = BlockPool::kHeadroom + core::kBlockBytes;

// A plain blocking socket that plays a child or a parent byte by byte. Every call has a deadline
// that only a hang can reach.
class RawSocket {
 public:
  explicit RawSocket(int fd);
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  ~RawSocket();
  static int Connect(const common::net::Endpoint& to);

  void Send(std::span<const std::byte> bytes);
  // Exactly so many; fewer when the stream ends.
  std::vector<std::byte> Receive(size_t size);
  // Everything up to the end of the stream.
  std::vector<std::byte> ReceiveAll();
  void ShutdownWrite();
  void CloseWithReset();
  // How the stream ended, after ReceiveAll or a short Receive.
  bool was_reset() const { return was_reset_; }
  int fd() const { return fd_; }

 private:
  int fd_;
  bool was_reset_ = false;
};

// Accepts connections one after the other and hands each to a script, until it is destroyed.
class RawParent {
 public:
  explicit RawParent(std::function<void(RawSocket&)> script);
  RawParent(const RawParent&) = delete;
  RawParent& operator=(const RawParent&) = delete;
  ~RawParent();
  const common::net::Endpoint& endpoint() const { return endpoint_; }

 private:
  int listener_ = -1;
  common::net::Endpoint endpoint_;
  std::thread thread_;
};

}  // namespace dragonfly::dfdaemon::transfer
