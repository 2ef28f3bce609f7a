#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/shard.h"

namespace dragonfly::bench {

// Counts what a shard decides and drops it.
class CountingSink : public scheduler::core::DecisionSink {
 public:
  using PeerHandle = scheduler::core::PeerHandle;
  using StreamId = scheduler::core::StreamId;

  void Registered(StreamId stream, const PeerHandle& peer, scheduler::core::HostType,
                  int) override {
    if (handles.size() <= stream) handles.resize(stream + 1);
    handles[stream] = peer;
  }
  void SendEmpty(StreamId) override {}
  void SendParents(StreamId, scheduler::core::CandidateParents parents) override {
    ++answers;
    told += parents.parents.size();
  }
  void SendNeedBackToSource(StreamId, std::string) override { ++granted; }
  void SendMetadataOnly(StreamId) override {}
  void EndStream(StreamId, absl::Status) override { ++ended; }
  void AnswerPeer(scheduler::core::RequestId, absl::Status, const scheduler::core::TaskView&,
                  const scheduler::core::PeerView&) override {}
  void AnswerTask(scheduler::core::RequestId, absl::Status,
                  const scheduler::core::TaskView&) override {}
  void AnswerDone(scheduler::core::RequestId, absl::Status) override {}
  void StartSeedTrigger(scheduler::core::SeedTrigger) override {}
  void Scheduled(absl::Duration) override {}
  void Downloaded(absl::Duration, std::optional<uint64_t>) override {}

  std::vector<PeerHandle> handles;  // by stream
  uint64_t answers = 0;
  uint64_t told = 0;
  uint64_t granted = 0;
  uint64_t ended = 0;
};

// Hosts, tasks and peers as daemons of a cluster would announce them, in the sizes of real ids.
class CoreWorld {
 public:
  struct Size {
    uint32_t hosts = 0;
    uint32_t tasks = 0;
    uint32_t peers = 0;   // of each task, each on a host of its own
    uint32_t pieces = 0;  // of each task
  };

  CoreWorld(const Size& size, uint64_t seed);

  // A seed for each task that reads the origin: the root of everything that follows.
  void StartSeeds();
  // Peer `peer` of task `task`; its stream is StreamOf.
  scheduler::core::Event RegisterEvent(uint32_t task, uint32_t peer);
  scheduler::core::Event StartedEvent(uint32_t task, uint32_t peer) const;
  scheduler::core::Event PieceEvent(uint32_t task, uint32_t peer, uint32_t piece) const;

  void Step(std::vector<scheduler::core::Event>& events);

  const Size size;
  CountingSink sink;
  scheduler::core::HostTable hosts;
  std::unique_ptr<scheduler::core::Shard> shard;
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);

 private:
  scheduler::core::StreamId StreamOf(uint32_t task, uint32_t peer) const {
    return 1 + uint64_t{task} * (size.peers + 1) + peer;
  }
  scheduler::core::Event Message(uint32_t task, uint32_t peer,
                                 decltype(scheduler::core::PeerMessage::body) body) const;

  std::vector<std::shared_ptr<scheduler::core::Host>> by_index_;
  std::vector<std::shared_ptr<const scheduler::core::TaskDescriptor>> tasks_;
};

}  // namespace dragonfly::bench
