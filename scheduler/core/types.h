#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace dragonfly::scheduler::core {

// An open AnnouncePeer stream, numbered by the service; 0 is none.
using StreamId = uint64_t;
// An unary call that waits for an answer, numbered by the service.
using RequestId = uint64_t;

// Where a peer is: indices instead of ids, so that the messages of a stream cost no look-up. Handed
// out once by Registered; a handle of a peer that is gone is recognised by its generation (never 0
// in a valid one) and behaves as an unknown peer.
struct PeerHandle {
  uint32_t shard = 0;
  uint32_t task = 0;
  uint32_t peer = 0;
  uint32_t generation = 0;

  bool valid() const { return generation != 0; }
  friend bool operator==(const PeerHandle&, const PeerHandle&) = default;
};

enum class HostType : uint32_t { kNormal = 0, kSuperSeed = 1 };

// common.v2.Priority, by number; other values are refused.
enum class Priority : int {
  kLevel0 = 0,
  kLevel1 = 1,
  kLevel2 = 2,
  kLevel3 = 3,
  kLevel4 = 4,
  kLevel5 = 5,
  kLevel6 = 6
};

// What a child of our own make can do beyond upstream (docs/reference/scheduler.md, "Extensions").
enum ExtensionBits : uint32_t {
  kLazyStat = 1U << 0,  // registers without a length and can wait for it
  kSlice = 1U << 1,   // reads a slice of the origin first and takes the rest from the other readers
  kStripes = 1U << 2  // takes pieces from two primary parents by number, and passes them on at once
};

struct ByteRange {
  uint64_t start = 0;
  uint64_t length = 0;
};

// What names and describes a task on the wire; immutable, replaced as a whole by a later
// registration.
struct TaskDescriptor {
  std::string id;
  int type = 0;  // common.v2.TaskType
  std::string url;
  std::optional<std::string> digest;
  std::optional<std::string> tag;
  std::optional<std::string> application;
  std::vector<std::string> filtered_query_params;
  std::map<std::string, std::string> request_header;
};

// A piece as a reader of the origin reported it; kept for StatTask and StatPeer.
struct SourcePiece {
  uint32_t number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::string digest;
  int traffic_type = 0;  // common.v2.TrafficType
  absl::Duration cost;
  absl::Time created;
};

}  // namespace dragonfly::scheduler::core
