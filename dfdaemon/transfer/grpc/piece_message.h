#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace google::protobuf::io {
class ZeroCopyInputStream;
}  // namespace google::protobuf::io

namespace dragonfly::dfdaemon::transfer::grpc {

// The answer of the three piece RPCs (docs/reference/piece_rpcs.md) without its content passing
// through protobuf. Pure.

// What surrounds a piece's bytes in a message: `before`, head.length bytes, `after` are what
// protobuf would have written.
struct MessageParts {
  std::string before;
  std::string after;
};
MessageParts EncodePiece(const PieceHead& head);

// Where in a message the content is, and what the message says of it.
struct MessageLayout {
  PieceHead head;
  uint64_t content_offset = 0;
  uint64_t content_bytes = 0;
};
// Reads over the content without copying it. INVALID_ARGUMENT (kParentProtocol): no protobuf, no
// piece or two, a content that is not as long as the piece is said to be or longer than
// `max_piece_bytes`, texts out of bounds, a digest that does not fit. Unknown fields are passed
// over.
absl::StatusOr<MessageLayout> DecodePiece(google::protobuf::io::ZeroCopyInputStream& message,
                                          uint64_t max_piece_bytes);

// The checksum of what a message says of its piece: "crc32:..." over number, offset, length (big
// endian) and the digest's text.
std::string DigestOfHead(const PieceHead& head);

}  // namespace dragonfly::dfdaemon::transfer::grpc
