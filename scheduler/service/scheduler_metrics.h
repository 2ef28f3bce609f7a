#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/telemetry/metrics.h"
#include "scheduler/core/types.h"

namespace dragonfly::scheduler::service {

// The calls and messages that are counted; the names are upstream's.
enum class Call {
  kAnnouncePeer,
  kStatPeer,
  kDeletePeer,
  kStatTask,
  kDeleteTask,
  kAnnounceHost,
  kListHosts,
  kDeleteHost,
  kPreheatImage,
  kStatImage,
  kPreheatFile,
  kStatFile
};
enum class PeerCall {
  kRegister,
  kStarted,
  kBackToSourceStarted,
  kReschedule,
  kFinished,
  kBackToSourceFinished,
  kFailed,
  kBackToSourceFailed,
  kPiece,
  kPieceBackToSource,
  kPieceFailed,
  kPieceBackToSourceFailed
};

// What a peer's counters are labelled with.
struct PeerLabels {
  int priority = 0;
  int task_type = 0;
  core::HostType host_type = core::HostType::kNormal;
};

// The metrics of the scheduler (docs/reference/metrics.md). Threading: any thread.
class SchedulerMetrics {
 public:
  explicit SchedulerMetrics(common::telemetry::Registry& registry);
  ~SchedulerMetrics();

  void Count(Call call);
  void CountFailure(Call call);
  void Count(PeerCall call, const PeerLabels& labels);
  void CountFailure(PeerCall call, const PeerLabels& labels);
  // A piece of `bytes` from the origin or from another peer.
  void CountPiece(bool from_source, uint64_t bytes, const PeerLabels& labels);
  void StreamOpened();
  void StreamClosed();
  void Scheduled(absl::Duration waited);
  void Downloaded(absl::Duration cost, std::optional<uint64_t> content_length);
  void SeedTriggered();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Upstream's classes of size: 0 for nothing, 1 below 1 MiB, ... 20 from 1 TiB.
int SizeLevel(uint64_t content_length);

}  // namespace dragonfly::scheduler::service
