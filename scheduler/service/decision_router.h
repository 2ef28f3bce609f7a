#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"
#include "scheduler/service/announce_stream.h"
#include "scheduler/service/scheduler_metrics.h"

namespace dragonfly::scheduler::service {

// The sink of all shards: hands decisions to the streams and calls that they are for. What is gone
// by then is left out. Threading: everything from any thread.
class DecisionRouter final : public core::DecisionSink {
 public:
  // The answer to an unary call; which of the views is filled depends on the question.
  using Answer =
      std::function<void(absl::Status, const core::TaskView* task, const core::PeerView* peer)>;

  explicit DecisionRouter(SchedulerMetrics& metrics) : metrics_(metrics) {}

  // Before the first event is posted.
  void OnSeedTrigger(std::function<void(core::SeedTrigger)> start) {
    start_trigger_ = std::move(start);
  }

  core::StreamId NextStream() { return next_.fetch_add(1); }
  void AddStream(std::shared_ptr<AnnounceStream> stream);
  void RemoveStream(core::StreamId id);
  // Ends all streams, and those that are added from now on, and waits until they are gone, or for
  // `bound`.
  void EndStreams(absl::Duration bound);
  // Ends the streams that have said nothing for `silence`.
  void EndSilent(absl::Duration silence);
  core::RequestId AddRequest(Answer answer);
  // For a request that could not be posted: its answer, not yet given.
  Answer TakeRequest(core::RequestId id);
  // See ShardRunner::Options.
  void Stepped(std::span<const core::Event> events);

  void Registered(core::StreamId stream, const core::PeerHandle& peer, core::HostType host_type,
                  int priority) override;
  void SendEmpty(core::StreamId stream) override;
  void SendParents(core::StreamId stream, core::CandidateParents parents) override;
  void SendNeedBackToSource(core::StreamId stream, std::string description) override;
  void SendMetadataOnly(core::StreamId stream) override;
  void EndStream(core::StreamId stream, absl::Status status) override;
  void AnswerPeer(core::RequestId request, absl::Status status, const core::TaskView& task,
                  const core::PeerView& peer) override;
  void AnswerTask(core::RequestId request, absl::Status status,
                  const core::TaskView& task) override;
  void AnswerDone(core::RequestId request, absl::Status status) override;
  void StartSeedTrigger(core::SeedTrigger trigger) override;
  void Scheduled(absl::Duration waited) override { metrics_.Scheduled(waited); }
  void Downloaded(absl::Duration cost, std::optional<uint64_t> content_length) override {
    metrics_.Downloaded(cost, content_length);
  }

 private:
  // Streams are found by shards and gRPC threads alike: spread over several locks.
  struct Bucket {
    std::mutex mutex;  // guards streams
    absl::flat_hash_map<core::StreamId, std::shared_ptr<AnnounceStream>> streams;
  };

  std::shared_ptr<AnnounceStream> Find(core::StreamId id);
  Bucket& BucketOf(core::StreamId id) { return buckets_[id % buckets_.size()]; }

  SchedulerMetrics& metrics_;
  std::function<void(core::SeedTrigger)> start_trigger_;
  std::atomic<uint64_t> next_{1};
  std::atomic<bool> ending_{false};
  std::mutex open_mutex_;  // guards open_
  std::condition_variable none_open_;
  size_t open_ = 0;
  std::array<Bucket, 16> buckets_;
  std::mutex requests_mutex_;  // guards requests_
  absl::flat_hash_map<core::RequestId, Answer> requests_;
};

}  // namespace dragonfly::scheduler::service
