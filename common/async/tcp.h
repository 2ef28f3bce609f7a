#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::async {

// A connected stream socket. One reader and one writer at a time.
//
// Errors: kParentUnreachable-like reasons are the caller's to give; here a reset is UNAVAILABLE,
// the end of the stream OUT_OF_RANGE, a cancelled scope its status (the socket is then closed: a
// stream in the middle of a message is of no use). Threading: belongs to the executor it was made
// on.
class TcpStream {
 public:
  struct Options {
    bool no_delay = true;
    bool keepalive = true;         // idle 5 s, interval 3 s, 3 probes, as upstream's piece sockets
    size_t send_buffer_bytes = 0;  // 0: the kernel's choice
    size_t receive_buffer_bytes = 0;
  };

  static Co<absl::StatusOr<std::unique_ptr<TcpStream>>> Connect(CancelScope& scope,
                                                                net::Endpoint to, Options options);
  virtual ~TcpStream() = default;

  // At least one byte, or OUT_OF_RANGE at the end of the stream.
  virtual Co<absl::StatusOr<size_t>> ReadSome(CancelScope& scope, std::span<std::byte> out) = 0;
  // Exactly out.size() bytes; OUT_OF_RANGE when the stream ends before the first, DATA_LOSS in the
  // middle.
  Co<absl::Status> ReadExactly(CancelScope& scope, std::span<std::byte> out);
  virtual Co<absl::Status> WriteAll(CancelScope& scope, std::span<const std::byte> data) = 0;
  // What the socket takes or gives at once; 0 when it would block (`out` and `data` not empty).
  // Errors as above. For loops that hold no buffer while they wait; they wait now and then even
  // when data is there, for the sake of the thread's other coroutines.
  virtual absl::StatusOr<size_t> TryRead(std::span<std::byte> out) = 0;
  virtual absl::StatusOr<size_t> TryWrite(std::span<const std::byte> data) = 0;
  // OK when it is worth a try; through the event loop, also when it is ready already.
  virtual Co<absl::Status> WaitReadable(CancelScope& scope) = 0;
  virtual Co<absl::Status> WaitWritable(CancelScope& scope) = 0;
  // WaitReadable then waits for so many bytes, or the end of the stream (SO_RCVLOWAT). 1 at first.
  virtual void SetReadLowWater(size_t bytes) = 0;
  // Sends [offset, offset + length) of `file_descriptor` by sendfile(2).
  virtual Co<absl::Status> SendFile(CancelScope& scope, int file_descriptor, uint64_t offset,
                                    uint64_t length) = 0;
  // `more` true: hold back a last partial segment (TCP_CORK) until set to false.
  virtual void Cork(bool more) = 0;
  virtual void ShutdownWrite() = 0;
  virtual void Close() = 0;
  virtual const net::Endpoint& peer() const = 0;
  virtual int fd() const = 0;
  // Nobody between the two ends can read along.
  virtual bool encrypted() const { return false; }
};

// A listening socket. Accept survives what a peer can cause (ECONNABORTED) and pauses 100 ms when
// the process is out of descriptors.
class TcpListener {
 public:
  // Port 0: the kernel chooses; endpoint() tells. A taken port is FAILED_PRECONDITION naming it.
  static absl::StatusOr<std::unique_ptr<TcpListener>> Bind(Executor executor, net::Endpoint at,
                                                           int backlog = 1024);
  virtual ~TcpListener() = default;
  // The stream belongs to `executor`, which may be another one.
  virtual Co<absl::StatusOr<std::unique_ptr<TcpStream>>> Accept(CancelScope& scope,
                                                                Executor executor,
                                                                TcpStream::Options options) = 0;
  virtual const net::Endpoint& endpoint() const = 0;
  // Before the first Accept: called at each such pause, on the accepting coroutine.
  virtual void OnExhausted(std::function<void()> told) = 0;
  virtual void Close() = 0;
};

}  // namespace dragonfly::common::async
