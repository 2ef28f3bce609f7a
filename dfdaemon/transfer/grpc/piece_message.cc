#include "dfdaemon/transfer/grpc/piece_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/transfer/vortex/piece_text.h"
#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::transfer::grpc {
namespace {

using ::common::v2::Piece;
using ::dfdaemon::v2::DownloadPieceResponse;
using ::google::protobuf::io::CodedInputStream;
using ::google::protobuf::io::CodedOutputStream;
using WireFormat = ::google::protobuf::internal::WireFormatLite;

constexpr size_t kMaxParentIdBytes = 4096;
constexpr uint32_t kMaxMessageBytes = uint32_t{3} << 29;  // above any piece
// Of the embedded messages that are a time or a duration.
constexpr size_t kMaxTimeBytes = 64;

// A field whose value is a length and so many bytes.
constexpr uint32_t Tag(int field) {
  return WireFormat::MakeTag(field, WireFormat::WIRETYPE_LENGTH_DELIMITED);
}
constexpr uint32_t NumberTag(int field) {
  return WireFormat::MakeTag(field, WireFormat::WIRETYPE_VARINT);
}

void PutLengthAfterTag(std::string& out, int field, uint64_t length) {
  uint8_t bytes[20];
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(Tag(field), bytes);
  end = CodedOutputStream::WriteVarint64ToArray(length, end);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

void SetDuration(absl::Duration value, ::google::protobuf::Duration& out) {
  value = std::clamp(value, absl::ZeroDuration(), absl::Hours(24 * 366 * 100));
  absl::Duration rest;
  out.set_seconds(absl::IDivDuration(value, absl::Seconds(1), &rest));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

void SetTime(absl::Time value, ::google::protobuf::Timestamp& out) {
  // Years 1970 to 9999: what protobuf can say of times that we can have.
  value = std::clamp(value, absl::UnixEpoch(), absl::FromUnixSeconds(253402300799));
  const int64_t seconds = absl::ToUnixSeconds(value);
  out.set_seconds(seconds);
  out.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(value - absl::FromUnixSeconds(seconds))));
}

absl::Duration DurationOf(const ::google::protobuf::Duration& value) {
  constexpr int64_t kCentury = int64_t{100} * 366 * 24 * 3600;
  return absl::Seconds(std::clamp<int64_t>(value.seconds(), 0, kCentury)) +
         absl::Nanoseconds(std::clamp(value.nanos(), 0, 999'999'999));
}

absl::Status Violation(std::string_view what) {
  return common::status::MakeStatus(
      absl::StatusCode::kInvalidArgument, common::status::ErrorReason::kParentProtocol,
      common::status::StdView(absl::StrCat("piece message: ", common::status::Sv(what))));
}

// Reads one message; the first thing that is wrong is kept.
class Decoder {
 public:
  explicit Decoder(::google::protobuf::io::ZeroCopyInputStream& message) : in_(&message) {}

  absl::StatusOr<MessageLayout> Run(uint64_t max_piece_bytes) {
    while (const uint32_t tag = in_.ReadTag()) {
      if (tag == Tag(DownloadPieceResponse::kPieceFieldNumber)) {
        if (has_piece_) return Violation("two pieces in one answer");
        has_piece_ = true;
        ReadPiece();
      } else if (tag == Tag(DownloadPieceResponse::kDigestFieldNumber)) {
        head_digest_.emplace();
        if (!ReadText(vortex::kMaxPieceDigestBytes, "digest of the head", *head_digest_))
          Fail("no protobuf");
      } else if (!WireFormat::SkipField(&in_, tag)) {
        Fail("no protobuf");
      }
      if (!wrong_.empty()) return Violation(wrong_);
    }
    if (!in_.ConsumedEntireMessage()) return Violation("no protobuf");
    return Judge(max_piece_bytes);
  }

 private:
  absl::StatusOr<MessageLayout> Judge(uint64_t max_piece_bytes) {
    const PieceHead& head = layout_.head;
    if (!has_piece_) return Violation("an answer without a piece");
    if (head.length > max_piece_bytes) {
      return Violation(common::status::StdView(
          absl::StrCat("piece of ", head.length, " bytes, allowed are at most ", max_piece_bytes)));
    }
    if (layout_.content_bytes != head.length) {
      return Violation(common::status::StdView(
          absl::StrCat(layout_.content_bytes, " bytes of a piece of ", head.length)));
    }
    if (!common::status::CheckedAdd(head.offset, head.length).has_value())
      return Violation("offset plus length of the piece overflow");
    if (!vortex::IsPrintableUtf8(head.parent_id))
      return Violation("parent id that is not printable UTF-8");
    if (!vortex::ParsePieceDigest(digest_, layout_.head.crc32)) {
      return Violation(common::status::StdView(absl::StrCat(
          "digest \"", vortex::Printable(digest_), "\" is not crc32: with 1 to 10 digits")));
    }
    if (head_digest_.has_value() && !head_digest_->empty()) {
      std::optional<uint32_t> said;
      std::optional<uint32_t> own;
      const bool both = vortex::ParsePieceDigest(*head_digest_, said) &&
                        vortex::ParsePieceDigest(DigestOfHead(layout_.head), own);
      if (!both || said != own) return Violation("the checksum of the head does not fit the head");
    }
    return layout_;
  }

  void ReadPiece() {
    uint32_t size = 0;
    // Beyond what a stream can count there would be no limit at all.
    if (!in_.ReadVarint32(&size) || size > kMaxMessageBytes) return Fail("no protobuf");
    const auto limit = in_.PushLimit(static_cast<int>(size));
    while (wrong_.empty()) {
      const uint32_t tag = in_.ReadTag();
      if (tag == 0) break;
      if (!ReadFieldOfPiece(tag)) Fail("no protobuf");
    }
    if (wrong_.empty() && (!in_.ConsumedEntireMessage() || in_.BytesUntilLimit() > 0))
      Fail("no protobuf");
    in_.PopLimit(limit);
  }

  bool ReadFieldOfPiece(uint32_t tag) {
    PieceHead& head = layout_.head;
    switch (tag) {
      case NumberTag(Piece::kNumberFieldNumber):
        return in_.ReadVarint32(&head.number);
      case NumberTag(Piece::kOffsetFieldNumber):
        return in_.ReadVarint64(&head.offset);
      case NumberTag(Piece::kLengthFieldNumber):
        return in_.ReadVarint64(&head.length);
      case Tag(Piece::kParentIdFieldNumber):
        return ReadText(kMaxParentIdBytes, "parent id", head.parent_id);
      case Tag(Piece::kDigestFieldNumber):
        return ReadText(vortex::kMaxPieceDigestBytes, "digest", digest_);
      case Tag(Piece::kCostFieldNumber): {
        std::string bytes;
        ::google::protobuf::Duration cost;
        if (!ReadText(kMaxTimeBytes, "cost", bytes) || !cost.ParseFromString(bytes)) return false;
        head.cost = DurationOf(cost);
        return true;
      }
      case Tag(Piece::kCreatedAtFieldNumber): {
        std::string bytes;
        ::google::protobuf::Timestamp at;
        if (!ReadText(kMaxTimeBytes, "creation time", bytes) || !at.ParseFromString(bytes))
          return false;
        head.created_at = absl::FromUnixSeconds(at.seconds()) +
                          absl::Nanoseconds(std::clamp(at.nanos(), 0, 999'999'999));
        return true;
      }
      case Tag(Piece::kContentFieldNumber):
        return ReadContent();
      default:
        return WireFormat::SkipField(&in_, tag);
    }
  }

  bool ReadContent() {
    if (has_content_) return Fail("two contents in one piece"), true;
    has_content_ = true;
    uint32_t size = 0;
    if (!in_.ReadVarint32(&size) || size > std::numeric_limits<int>::max()) return false;
    layout_.content_offset = static_cast<uint64_t>(in_.CurrentPosition());
    layout_.content_bytes = size;
    return in_.Skip(static_cast<int>(size));
  }

  bool ReadText(size_t most, std::string_view what, std::string& out) {
    uint32_t size = 0;
    if (!in_.ReadVarint32(&size)) return false;
    if (size > most) {
      Fail(common::status::StdView(absl::StrCat(common::status::Sv(what), " of ", size,
                                                " bytes, allowed are at most ", most)));
      return true;
    }
    return in_.ReadString(&out, static_cast<int>(size));
  }

  void Fail(std::string_view what) {
    if (wrong_.empty()) wrong_ = what;
  }

  CodedInputStream in_;
  MessageLayout layout_;
  std::string digest_;
  std::optional<std::string> head_digest_;
  bool has_piece_ = false;
  bool has_content_ = false;
  std::string wrong_;
};

}  // namespace

MessageParts EncodePiece(const PieceHead& head) {
  // Fields are written in the order of their numbers, so that the piece is the piece without what
  // follows its content, the content, and the piece with nothing else.
  Piece first;
  first.set_number(head.number);
  if (!head.parent_id.empty() && head.parent_id.size() <= kMaxParentIdBytes &&
      vortex::IsPrintableUtf8(head.parent_id)) {
    first.set_parent_id(head.parent_id);
  }
  first.set_offset(head.offset);
  first.set_length(head.length);
  if (head.crc32.has_value()) first.set_digest(vortex::FormatPieceDigest(*head.crc32));
  Piece last;
  SetDuration(head.cost, *last.mutable_cost());
  SetTime(head.created_at, *last.mutable_created_at());
  DownloadPieceResponse rest;
  rest.set_digest(DigestOfHead(head));

  MessageParts parts;
  std::string piece = first.SerializeAsString();
  if (head.length > 0) PutLengthAfterTag(piece, Piece::kContentFieldNumber, head.length);
  parts.after = last.SerializeAsString();
  PutLengthAfterTag(parts.before, DownloadPieceResponse::kPieceFieldNumber,
                    piece.size() + head.length + parts.after.size());
  parts.before += piece;
  parts.after += rest.SerializeAsString();
  return parts;
}

absl::StatusOr<MessageLayout> DecodePiece(::google::protobuf::io::ZeroCopyInputStream& message,
                                          uint64_t max_piece_bytes) {
  return Decoder(message).Run(max_piece_bytes);
}

std::string DigestOfHead(const PieceHead& head) {
  std::string bytes;
  const auto put = [&bytes](uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i)
      bytes.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
  };
  put(head.number, 4);
  put(head.offset, 8);
  put(head.length, 8);
  if (head.crc32.has_value()) bytes += vortex::FormatPieceDigest(*head.crc32);
  return vortex::FormatPieceDigest(common::digest::Crc32(bytes));
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
