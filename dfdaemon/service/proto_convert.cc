#include "dfdaemon/service/proto_convert.h"

#include <optional>
#include <string>

#include "common/digest/digest.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::service {
namespace {

using common::status::ErrorReason;

void SetTime(absl::Time time, google::protobuf::Timestamp& message) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  message.set_seconds(seconds);
  message.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void SetDuration(absl::Duration duration, google::protobuf::Duration& message) {
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  message.set_seconds(nanoseconds / 1'000'000'000);
  message.set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

}  // namespace

void ToProto(const core::PieceInfo& piece, ::common::v2::Piece& message) {
  message.set_number(piece.number);
  if (!piece.parent_id.empty()) message.set_parent_id(piece.parent_id);
  message.set_offset(piece.offset);
  message.set_length(piece.length);
  message.set_digest(common::digest::Crc32Text(piece.crc32));
  message.set_traffic_type(static_cast<::common::v2::TrafficType>(piece.traffic));
  SetDuration(piece.cost, *message.mutable_cost());
  SetTime(piece.created_at, *message.mutable_created_at());
}

void ToProto(const storage::TaskFile& file, ::dfdaemon::v2::StatLocalTaskResponse& message) {
  const storage::TaskMeta meta = file.meta();
  message.set_task_id(file.key().id);
  if (meta.geometry.piece_length != 0) message.set_piece_length(meta.geometry.piece_length);
  if (meta.geometry.content_length.has_value())
    message.set_content_length(*meta.geometry.content_length);
  for (const auto& [name, value] : meta.response_header)
    (*message.mutable_response_header())[name] = value;
  SetTime(meta.created_at, *message.mutable_created_at());
  SetTime(meta.finished_at.value_or(meta.created_at), *message.mutable_updated_at());
  if (meta.finished_at.has_value()) SetTime(*meta.finished_at, *message.mutable_finished_at());
}

absl::Status ForWire(const absl::Status& status) {
  switch (common::status::ReasonOf(status)) {
    case ErrorReason::kOriginStatus:
    case ErrorReason::kOriginUnreachable:
    case ErrorReason::kOriginProtocol:
    case ErrorReason::kOriginSilent:
    case ErrorReason::kOriginChanged:
    case ErrorReason::kOriginLength:
      break;
    default:
      return status;
  }
  absl::Status internal(absl::StatusCode::kInternal, status.message());
  status.ForEachPayload([&internal](absl::string_view url, const absl::Cord& payload) {
    internal.SetPayload(url, payload);
  });
  return internal;
}

}  // namespace dragonfly::dfdaemon::service
