#pragma once

// What server_reactor.h and client_reactor.h share: metadata in and out. Includes gRPC.

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/extensions.h"
#include "common/rpc/stream.h"
#include "common/trace/span_context.h"

namespace dragonfly::common::rpc {

// How a client makes a call.
struct CallOptions {
  // Of a whole unary call. Streams take none: their inactivity is watched by the caller.
  absl::Duration timeout = absl::Seconds(10);
  trace::SpanContext trace;  // of the span that the call is part of
  ExtensionSet extensions;   // offered
  size_t max_outgoing = 256;
  // Received and not yet read; then the peer has to wait.
  size_t max_incoming = 64;
};

// The trace that a call is part of, and the same for a call that is about to start.
trace::SpanContext TraceOf(const ::grpc::CallbackServerContext& context);
void AddTrace(::grpc::ClientContext& context, const trace::SpanContext& of);

// Reads peer, trace context and extensions, and answers with what of `offered` the client speaks
// too. Call before the initial metadata is sent.
CallInfo OpenCall(::grpc::CallbackServerContext& context, const ExtensionSet& offered);

// The status for Finish; its reason goes into the trailing metadata.
::grpc::Status EndCall(::grpc::CallbackServerContext& context, const absl::Status& status);

// Writes the options into the context of a call that is about to start. `timed`: set the deadline.
void PrepareCall(::grpc::ClientContext& context, const CallOptions& options, bool timed);

// The status of a call that has ended, with its reason.
absl::Status StatusOfCall(const ::grpc::Status& status, const ::grpc::ClientContext& context);

// What the server answered; valid once its initial metadata has come.
ExtensionSet AgreedExtensions(const ::grpc::ClientContext& context);

}  // namespace dragonfly::common::rpc
