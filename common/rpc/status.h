#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::common::rpc {

// Statuses on the wire (docs/reference/wire.md). Codes are the same numbers on both sides. The
// reason travels in the trailing metadata key df-reason, which upstream ignores. What an origin
// said travels as upstream sends it: the raw JSON of errordetails.v2.Backend in
// grpc-status-details-bin.
inline constexpr std::string_view kReasonKey = "df-reason";

// Messages are cut to 2 KiB and details to 5 KiB, because clients refuse trailers of more than 8
// KiB.
::grpc::Status ToGrpc(const absl::Status& status);
// The value for kReasonKey; empty for OK.
std::string ReasonForWire(const absl::Status& status);

// `reason`: the value of kReasonKey, empty when there was none.
absl::Status FromGrpc(const ::grpc::Status& status, std::string_view reason);

}  // namespace dragonfly::common::rpc
