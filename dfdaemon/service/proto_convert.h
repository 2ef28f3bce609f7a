#pragma once

#include "absl/status/status.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/storage/content_store.h"
#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::service {

// Every field that upstream's validators want is set.
void ToProto(const core::PieceInfo& piece, ::common::v2::Piece& message);
void ToProto(const storage::TaskFile& file, ::dfdaemon::v2::StatLocalTaskResponse& message);

// The status as callers of upstream know it: what the origin said is INTERNAL with the details
// attached.
absl::Status ForWire(const absl::Status& status);

}  // namespace dragonfly::dfdaemon::service
