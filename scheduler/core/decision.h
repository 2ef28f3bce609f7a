#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "scheduler/core/fsm.h"
#include "scheduler/core/host_table.h"
#include "scheduler/core/types.h"

namespace dragonfly::scheduler::core {

struct TaskView {
  std::shared_ptr<const TaskDescriptor> descriptor;
  TaskState state = TaskState::kPending;
  std::optional<uint64_t> content_length;  // nothing: not known
  std::optional<uint32_t> piece_count;
  uint32_t peer_count = 0;
  bool has_available_peer = false;
  absl::Time created;
  absl::Time updated;
  std::vector<SourcePiece> pieces;  // only in answers to StatTask and StatPeer
};

struct PeerView {
  std::string id;
  PeerState state = PeerState::kPending;
  int priority = 0;
  uint32_t concurrent_piece_count = 0;
  std::optional<ByteRange> range;
  bool need_back_to_source = false;
  absl::Duration cost;
  absl::Time created;
  absl::Time updated;
  std::shared_ptr<const HostFacts> host;
};

// Parents for a child, best first.
struct CandidateParents {
  TaskView task;
  std::vector<PeerView> parents;
};

struct SeedTrigger {
  uint64_t trigger_id = 0;
  std::string task_id;
  std::string host_id;
  std::string address;  // "IP:Port"
  std::shared_ptr<const std::string> download;
  std::shared_ptr<const std::string> trace;  // of the register that asked for it last; null: none
};

// What a Shard decides, in order. Called from within step(); implementations do not call back.
// A stream that EndStream named, or that StreamClosed told the shard about, is never named again.
class DecisionSink {
 public:
  virtual ~DecisionSink() = default;

  // The peer of a Register; `priority` is the effective one.
  virtual void Registered(StreamId stream, const PeerHandle& peer, HostType host_type,
                          int priority) = 0;
  // The message that the stream sent last was dealt with, and the stream goes on.
  virtual void SendEmpty(StreamId stream) = 0;
  virtual void SendParents(StreamId stream, CandidateParents parents) = 0;
  virtual void SendNeedBackToSource(StreamId stream, std::string description) = 0;
  virtual void SendMetadataOnly(StreamId stream) = 0;
  virtual void EndStream(StreamId stream, absl::Status status) = 0;

  virtual void AnswerPeer(RequestId request, absl::Status status, const TaskView& task,
                          const PeerView& peer) = 0;
  virtual void AnswerTask(RequestId request, absl::Status status, const TaskView& task) = 0;
  virtual void AnswerDone(RequestId request, absl::Status status) = 0;

  virtual void StartSeedTrigger(SeedTrigger trigger) = 0;

  // For metrics: a peer was answered after so long; a peer ended after so long.
  virtual void Scheduled(absl::Duration waited) = 0;
  virtual void Downloaded(absl::Duration cost, std::optional<uint64_t> content_length) = 0;
};

}  // namespace dragonfly::scheduler::core
