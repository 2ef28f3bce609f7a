#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/cancel_scope.h"
#include "common/id/task_key.h"
#include "common/net/endpoint.h"
#include "common/trace/span_context.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::transfer {

// One client and one server interface for moving pieces, whatever the transport. The conformance
// suite in transfer/testing holds every transport to what is written here, for all kinds of task.

// So much is read or written without a look at the event loop.
inline constexpr uint64_t kBytesPerTurn = uint64_t{1} << 20;

// What is asked for, and what the asker knows already: everything a parent says is checked against
// it.
struct PieceRequest {
  common::id::TaskKey key;
  core::PieceNumber number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;  // exact, also for the last piece
  // Of the span that it is part of, for transports that can tell the parent.
  common::trace::SpanContext trace = {};
};

// What a parent says of a piece before its bytes.
struct PieceHead {
  core::PieceNumber number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  // Unset where the parent has none to offer (upstream's hard-linked persistent pieces).
  std::optional<uint32_t> crc32;
  std::string parent_id;  // where the parent had it from
  absl::Duration cost;
  absl::Time created_at;
};

// Takes the bytes of a piece as they arrive, in order, on the fetching coroutine's executor. An
// error stops the transfer and is returned from Fetch.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual absl::Status OnHead(const PieceHead& head) = 0;
  // At most kBlockBytes; valid during the call. `verified`: carried a checksum of its own that
  // matched.
  virtual absl::Status OnBytes(std::span<const std::byte> bytes, bool verified) = 0;
};

// A parent's piece server.
struct PieceTarget {
  common::net::Endpoint endpoint;
  // Where the same parent answers RPCs, if that is another place: for pieces over gRPC.
  std::optional<common::net::Endpoint> rpc_endpoint;
  bool keepalive = false;  // extension keepalive/1 was agreed: several requests on one connection
  bool tls = false;        // extension piece-tls/1 was agreed
};

// Fetches pieces from parents. Thread: any executor; connections are kept per executor.
class PieceClient {
 public:
  virtual ~PieceClient() = default;
  // OK when the sink has had head and all bytes. Number, offset and length of the head are the
  // request's when OnHead is called; a parent that says otherwise, or sends less, is
  // kParentProtocol. Other reasons: kParentUnreachable, kParentRefused (its error packet), or the
  // scope's status. Silence is the scope's business: the caller watches OnBytes.
  virtual common::async::Co<absl::Status> Fetch(common::async::CancelScope& scope,
                                                PieceTarget target, PieceRequest request,
                                                PieceSink& sink) = 0;
};

// A piece being served. Stays readable while it lives; counts as a running upload.
class ServedPiece {
 public:
  virtual ~ServedPiece() = default;
  virtual const PieceHead& head() const = 0;
  virtual absl::Status ReadAt(uint64_t offset_in_piece, std::span<std::byte> out) const = 0;
  virtual int fd() const = 0;  // -1: only ReadAt
  virtual uint64_t file_offset() const = 0;
  // Bytes that went out, for limits and metrics; called from the sending coroutine as they go.
  virtual void OnSent(uint64_t bytes) = 0;
};

// Where a piece server gets pieces from (dfdaemon/upload).
class PieceProvider {
 public:
  virtual ~PieceProvider() = default;
  // Waits for a piece that is on its way into this node, while the scope lasts. NOT_FOUND
  // (kNotFound): unknown task or piece.
  virtual common::async::Co<absl::StatusOr<std::unique_ptr<ServedPiece>>> Open(
      common::async::CancelScope& scope, common::id::TaskKey key, core::PieceNumber number) = 0;
  // Suspends until `bytes` may be sent (upload bandwidth).
  virtual common::async::Co<absl::Status> Admit(common::async::CancelScope& scope,
                                                uint64_t bytes) = 0;
};

}  // namespace dragonfly::dfdaemon::transfer
