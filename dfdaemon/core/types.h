#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace dragonfly::dfdaemon::core {

// Unit of input and output, of verification and of waking. Pieces are whole numbers of blocks but
// for the last one of a task.
inline constexpr uint64_t kBlockBytes = 256 * 1024;

using PieceNumber = uint32_t;

// More pieces than any real content has; a length that leads to more is a lie or a mistake, and
// would only cost memory (64 TiB in pieces of 64 MiB).
inline constexpr uint64_t kMaxPieces = uint64_t{1} << 20;

// Where bytes came from; the values are those of common.v2.TrafficType.
enum class TrafficType : uint8_t { kBackToSource = 0, kRemotePeer = 1, kLocalPeer = 2 };

// [start, start + length) of the content.
struct ByteRange {
  uint64_t start = 0;
  uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// How a task is cut. Parent and child must cut alike: both derive piece_length from the content
// length (common/id/piece_length.h) unless the user gave it or the origin did not tell its length.
struct Geometry {
  uint64_t piece_length = 0;               // bytes, > 0
  std::optional<uint64_t> content_length;  // bytes; unset until the origin's stream has ended

  // Pieces of a known length; unset while unknown.
  std::optional<uint32_t> piece_count() const;
  uint64_t offset_of(PieceNumber number) const { return number * piece_length; }
  // Bytes of piece `number`; piece_length while the content length is unknown, 0 past the end.
  uint64_t length_of(PieceNumber number) const;
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// What a finished piece is known by.
struct PieceInfo {
  PieceNumber number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint32_t crc32 = 0;
  std::string parent_id;  // peer id it came from; empty: the origin
  TrafficType traffic = TrafficType::kRemotePeer;
  absl::Duration cost;
  absl::Time created_at;
};

// One of the peers that the scheduler offered (common.v2.Peer in our words).
struct ParentInfo {
  std::string peer_id;
  std::string host_id;
  std::string ip;     // literal
  uint16_t port = 0;  // upload gRPC
  bool is_seed = false;
  uint64_t max_tx_bandwidth = 0;  // bit/s, 0 = unknown
  uint64_t tx_bandwidth = 0;      // bit/s
  // It speaks blocks/1: a fetch from it can begin at a block, it may offer pieces that it has only
  // begun, and it knows steals.
  bool blocks = false;
  // It speaks keepalive/1: its stream of offers is never silent for long.
  bool keepalive = false;
  // Of the parent's task, where the scheduler knows them.
  std::optional<uint64_t> content_length;
  std::optional<uint32_t> piece_count;
};

}  // namespace dragonfly::dfdaemon::core
