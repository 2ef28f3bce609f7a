#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/extensions.h"
#include "common/rpc/peer.h"
#include "common/trace/span_context.h"

namespace dragonfly::common::rpc {

// What is known about a call before its first message. A value.
struct CallInfo {
  std::string peer;  // "ipv4:10.0.0.7:41234", "ipv6:[fd00::7]:41234", "fd:12"
  std::optional<PeerCredentials> credentials;  // of calls that came by the unix socket
  trace::SpanContext trace;                    // the caller's; not valid when none was sent
  ExtensionSet extensions;                     // what both sides speak
  absl::Time deadline = absl::InfiniteFuture();
};

class CallGate;

struct StreamOptions {
  CallGate* gate = nullptr;  // asked before the stream begins; null: nobody
  ExtensionSet extensions;   // what this service speaks on this stream
  size_t max_outgoing = 256;
  // Messages handed to the handler and not yet reported as Consumed; then the peer has to wait.
  size_t max_unconsumed = 64;
  // How long Finish waits for a peer that does not read before the call is torn down.
  absl::Duration finish_linger = absl::Seconds(10);
};

// A server's end of a stream: what its owner may do with it, until Finish or OnDone.
// Threading: any thread; calls after the end do nothing.
template <typename Resp>
class ServerStream {
 public:
  virtual ~ServerStream() = default;
  // Queues a message. RESOURCE_EXHAUSTED when the queue is full (the message is not sent: the owner
  // drops it, waits for OnWritable or ends the stream); CANCELLED when the stream is over.
  virtual absl::Status Write(Resp message) = 0;
  // Sends what is queued and then `status`; if that is an error, `status` next. Ends the RPC
  // promptly also when the peer has not half-closed. The first call counts.
  virtual void Finish(absl::Status status) = 0;
  // `count` messages of OnMessage have been worked off; lets the peer send more.
  virtual void Consumed(size_t count) = 0;
  virtual const CallInfo& info() const = 0;
};

// What happens to a stream. Called on gRPC's threads, one call at a time for OnMessage and
// OnHalfClose; OnCancel and OnWritable may come beside them. Handlers don't block: they post to
// their owner.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // The peer went away or the call was torn down. The stream finishes itself.
  virtual void OnCancel() {}
  // After a refused Write: half of the queue is free.
  virtual void OnWritable() {}
  // The last call, always; the stream lets go of the handler after it.
  virtual void OnDone() {}
};

template <typename Req>
class StreamHandler : public StreamEvents {
 public:
  // A valid message (proto/rules). An invalid one never gets here: it ends the stream with
  // INVALID_ARGUMENT.
  virtual void OnMessage(Req message) = 0;
  // The peer will send nothing more.
  virtual void OnHalfClose() {}
};

}  // namespace dragonfly::common::rpc
