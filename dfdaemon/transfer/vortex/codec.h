#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/id/task_key.h"

namespace dragonfly::dfdaemon::transfer::vortex {

// Vortex 0.1.5 as upstream's dfdaemon (client 1.2.0 and later) speaks it: docs/reference/vortex.md.
// All integers are big-endian. Every parser returns INVALID_ARGUMENT with reason kParentProtocol
// for bytes that the protocol does not allow; who the culprit is, is the caller's to say.

inline constexpr size_t kHeaderBytes = 6;
inline constexpr size_t kTaskIdBytes = 64;
inline constexpr size_t kRequestValueBytes = kTaskIdBytes + 4;
inline constexpr size_t kRequestBytes = kHeaderBytes + kRequestValueBytes;
inline constexpr size_t kMetadataLengthBytes = 4;
// Metadata with neither digest nor parent id.
inline constexpr uint32_t kMinMetadataBytes = 45;
inline constexpr uint32_t kMaxMetadataBytes = 4 * 1024;
inline constexpr uint32_t kMaxErrorBytes = 64 * 1024;
inline constexpr uint64_t kDefaultMaxPieceBytes = uint64_t{64} << 20;
// What a configured maximum is cut to.
inline constexpr uint64_t kAbsoluteMaxPieceBytes = uint64_t{1} << 30;

// Tag of a packet. 6 and 7 (cache pieces) are defined upstream and handled by nobody.
enum class Tag : uint8_t {
  kDownloadPiece = 0,
  kPieceContent = 1,
  kDownloadPersistentPiece = 2,
  kPersistentPieceContent = 3,
  kDownloadPersistentCachePiece = 4,
  kPersistentCachePieceContent = 5,
  kClose = 254,
  kError = 255,
};

Tag RequestTag(common::id::TaskKind kind);
Tag ContentTag(common::id::TaskKind kind);
// Nothing for a tag that is not a request's.
std::optional<common::id::TaskKind> KindOfRequest(uint8_t tag);

struct Header {
  uint8_t packet_id = 0;
  uint8_t tag = 0;
  // Bytes of the value. Of a content packet: 4 + metadata, the piece's bytes are not counted.
  uint32_t length = 0;
  bool Is(Tag t) const { return tag == static_cast<uint8_t>(t); }
  friend bool operator==(const Header&, const Header&) = default;
};
Header DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes);
std::array<std::byte, kHeaderBytes> EncodeHeader(const Header& header);

struct Request {
  uint8_t packet_id = 0;
  common::id::TaskKey key;
  uint32_t number = 0;
  friend bool operator==(const Request&, const Request&) = default;
};
// INVALID_ARGUMENT (kInvalidArgument) for an id that is not 64 characters: it cannot be asked for.
absl::StatusOr<std::array<std::byte, kRequestBytes>> EncodeRequest(const Request& request);
// For a header that just came: whether it announces a request. Asked before a byte of the value is
// read.
absl::Status CheckRequestHeader(const Header& header);
// `header` has passed CheckRequestHeader. The id is 64 printable ASCII characters, not more.
absl::StatusOr<Request> DecodeRequest(const Header& header,
                                      std::span<const std::byte, kRequestValueBytes> value);

// What precedes a piece's bytes.
struct Metadata {
  uint32_t number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;            // of the piece, bytes
  std::optional<uint32_t> crc32;  // unset: an empty digest
  std::string parent_id;          // UTF-8 without control characters
  uint8_t traffic_type = 1;       // common.v2.TrafficType; upstream always sends REMOTE_PEER
  uint64_t cost_seconds = 0;
  int64_t created_at_unix = 0;
  friend bool operator==(const Metadata&, const Metadata&) = default;
};
// Header, metadata length and metadata: all that goes before the piece's bytes. A parent id that
// would not fit is left out.
std::vector<std::byte> EncodeContentHead(uint8_t packet_id, common::id::TaskKind kind,
                                         const Metadata& metadata);
// Between kMinMetadataBytes and kMaxMetadataBytes, or an error.
absl::StatusOr<uint32_t> DecodeMetadataLength(
    std::span<const std::byte, kMetadataLengthBytes> bytes);
// `bytes`: exactly the metadata. A piece longer than `max_piece_bytes` is refused.
absl::StatusOr<Metadata> DecodeMetadata(std::span<const std::byte> bytes, uint64_t max_piece_bytes);

enum class ErrorCode : uint8_t { kUnknown = 0, kInvalidArgument = 1, kNotFound = 2, kInternal = 3 };
struct Error {
  ErrorCode code = ErrorCode::kUnknown;  // reserved codes are read as kUnknown
  std::string message;                   // control characters and invalid UTF-8 replaced by '?'
  friend bool operator==(const Error&, const Error&) = default;
};
// A message beyond the limit is cut.
std::vector<std::byte> EncodeError(uint8_t packet_id, ErrorCode code, std::string_view message);
// Whether an error packet of this length is read at all. At least one byte: the code.
absl::Status CheckErrorLength(uint32_t length);
absl::StatusOr<Error> DecodeError(std::span<const std::byte> value);

// Extension keepalive/1: sent once, first on a connection, and only to a parent that agreed to it
// (docs/reference/vortex.md). An upstream server would close the connection.
inline constexpr std::string_view kKeepalivePreface = "keepalive/1";
std::vector<std::byte> EncodeKeepalivePreface(uint8_t packet_id);
// Whether the value (of kKeepalivePreface.size() bytes) makes this header the preface.
bool IsKeepalivePrefaceHeader(const Header& header);

}  // namespace dragonfly::dfdaemon::transfer::vortex
