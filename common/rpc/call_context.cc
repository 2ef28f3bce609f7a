#include "common/rpc/call_context.h"

#include <chrono>
#include <map>

#include "common/rpc/status.h"

namespace dragonfly::common::rpc {
namespace {

constexpr size_t kMaxExtensionsLength = 1024;

template <typename Metadata>
std::string_view ValueOf(const Metadata& metadata, std::string_view key, size_t most) {
  const auto found = metadata.find(::grpc::string_ref(key.data(), key.size()));
  if (found == metadata.end() || found->second.size() > most) return std::string_view();
  return std::string_view(found->second.data(), found->second.size());
}

}  // namespace

trace::SpanContext TraceOf(const ::grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const std::string_view parent =
      ValueOf(metadata, trace::kTraceparent, trace::kMaxTraceparentBytes);
  if (parent.empty()) return trace::SpanContext();
  const std::string_view state = ValueOf(metadata, trace::kTracestate, trace::kMaxTracestateBytes);
  return trace::SpanContext::Parse(parent, state).value_or(trace::SpanContext());
}

void AddTrace(::grpc::ClientContext& context, const trace::SpanContext& of) {
  if (!of.valid()) return;
  context.AddMetadata(std::string(trace::kTraceparent), of.traceparent());
  if (!of.tracestate().empty()) {
    context.AddMetadata(std::string(trace::kTracestate), std::string(of.tracestate()));
  }
}

CallInfo OpenCall(::grpc::CallbackServerContext& context, const ExtensionSet& offered) {
  CallInfo info;
  info.peer = context.peer();
  info.credentials = CredentialsOf(info.peer);
  info.trace = TraceOf(context);
  const std::string_view asked =
      ValueOf(context.client_metadata(), kExtensionKey, kMaxExtensionsLength);
  info.extensions = ExtensionSet::Parse(asked).Intersect(offered);
  const auto deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    info.deadline = absl::FromChrono(deadline);
  }
  if (!info.extensions.empty()) {
    context.AddInitialMetadata(std::string(kExtensionKey), info.extensions.ToString());
  }
  return info;
}

::grpc::Status EndCall(::grpc::CallbackServerContext& context, const absl::Status& status) {
  if (!status.ok()) context.AddTrailingMetadata(std::string(kReasonKey), ReasonForWire(status));
  return ToGrpc(status);
}

void PrepareCall(::grpc::ClientContext& context, const CallOptions& options, bool timed) {
  if (timed && options.timeout < absl::Hours(24)) {
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMicroseconds(options.timeout));
  }
  AddTrace(context, options.trace);
  if (!options.extensions.empty()) {
    context.AddMetadata(std::string(kExtensionKey), options.extensions.ToString());
  }
}

absl::Status StatusOfCall(const ::grpc::Status& status, const ::grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  constexpr size_t kMaxReasonLength = 64;
  return FromGrpc(status,
                  ValueOf(context.GetServerTrailingMetadata(), kReasonKey, kMaxReasonLength));
}

ExtensionSet AgreedExtensions(const ::grpc::ClientContext& context) {
  return ExtensionSet::Parse(
      ValueOf(context.GetServerInitialMetadata(), kExtensionKey, kMaxExtensionsLength));
}

}  // namespace dragonfly::common::rpc
