#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "scheduler/core/config.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/seed_ring.h"
#include "scheduler/core/types.h"

namespace dragonfly::scheduler::core {

// What a Shard is told: plain values, already validated. One struct per message of scheduler.v2
// plus what timers, seeds and streams report. All events of a task go to the same shard, those of a
// stream in the order in which they were received.

// The peer that a message is about. The handle when Registered gave one, else the ids.
struct PeerRef {
  PeerHandle handle;
  std::string task_id;  // used when the handle is not valid
  std::string peer_id;
};

struct Register {
  StreamId stream = 0;
  std::shared_ptr<Host> host;  // null: unknown, answered NOT_FOUND
  std::string host_id;
  std::string peer_id;
  std::shared_ptr<const TaskDescriptor> task;
  // The serialised common.v2.Download, for seed triggers. Holds credentials: never logged.
  std::shared_ptr<const std::string> download;
  // The trace that it belongs to, for seed triggers; the core does not look at it. Null: none.
  std::shared_ptr<const std::string> trace;
  int priority = 0;
  uint32_t concurrent_piece_count = 8;
  std::optional<ByteRange> range;
  bool need_back_to_source = false;
  bool disable_back_to_source = false;
  bool metadata_only = false;
  std::optional<uint64_t> content_length;
  std::optional<uint64_t> piece_length;
  std::optional<uint64_t> piece_count;
  uint32_t extensions = 0;  // ExtensionBits
};

struct PeerStarted {};
struct PeerBackToSourceStarted {};
struct Reschedule {
  std::vector<std::string> unusable_parents;  // peer ids, never to be offered again
};
struct PeerFinished {};
struct PeerBackToSourceFinished {};
struct PeerFailed {};
struct PeerBackToSourceFailed {};
struct PieceFinished {
  uint32_t number = 0;
  uint64_t length = 0;
  absl::Duration cost;
  std::string parent_id;  // empty: from the origin
};
struct PieceBackToSourceFinished {
  SourcePiece piece;
};
struct PieceFailed {
  std::string parent_id;
  bool temporary = false;
};
struct PieceBackToSourceFailed {};

// A message of an AnnouncePeer stream.
struct PeerMessage {
  StreamId stream = 0;
  PeerRef peer;
  std::variant<PeerStarted, PeerBackToSourceStarted, Reschedule, PeerFinished,
               PeerBackToSourceFinished, PeerFailed, PeerBackToSourceFailed, PieceFinished,
               PieceBackToSourceFinished, PieceFailed, PieceBackToSourceFailed>
      body;
};

// The stream is gone, for whatever reason: nothing may be sent on it any more.
struct StreamClosed {
  StreamId stream = 0;
};

struct StatPeer {
  RequestId request = 0;
  PeerRef peer;
};
struct DeletePeer {
  RequestId request = 0;
  PeerRef peer;
};
struct StatTask {
  RequestId request = 0;
  std::string task_id;
};
// Forgets the peers that one host has of a task.
struct DeleteTask {
  RequestId request = 0;
  std::string task_id;
  std::string host_id;
};

// The host was deleted or is idle; posted to every shard.
struct HostLeft {
  std::shared_ptr<Host> host;
};

// The estimate of its uplink has changed; posted to every shard.
struct UplinkChanged {
  std::shared_ptr<Host> host;
};

// The trigger that TriggerSeed started has ended. `ok` false: it could not be sent or its stream
// broke.
struct SeedTriggerEnded {
  std::string task_id;
  uint64_t trigger_id = 0;
  bool ok = false;
};
struct SeedsChanged {
  std::shared_ptr<const SeedRing> ring;
};
struct ConfigChanged {
  std::shared_ptr<const ClusterConfig> config;
};

using Event =
    std::variant<Register, PeerMessage, StreamClosed, StatPeer, DeletePeer, StatTask, DeleteTask,
                 HostLeft, UplinkChanged, SeedTriggerEnded, SeedsChanged, ConfigChanged>;

}  // namespace dragonfly::scheduler::core
