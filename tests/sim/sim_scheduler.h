#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dfdaemon/core/download_event.h"
#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"
#include "scheduler/core/host_table.h"
#include "tests/sim/brain.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/slots.h"
#include "tests/sim/wire.h"

namespace dragonfly::sim {

// The scheduler has this host's complete task in its books now.
struct AnswerMetadataOnly {};
using SchedulerAnswer = std::variant<dfdaemon::core::AnswerParents, dfdaemon::core::AnswerSource,
                                     dfdaemon::core::AnswerEmpty, dfdaemon::core::RegistrationEnded,
                                     AnswerMetadataOnly>;

// What the scheduler tells a host to fetch as a seed.
struct Trigger {
  uint64_t id = 0;
  uint32_t task = 0;
  HostId host = 0;
  uint32_t incarnation = 0;  // of the scheduler
};

class SchedulerUser {
 public:
  virtual ~SchedulerUser() = default;
  virtual void OnAnswer(PeerId peer, scheduler::core::StreamId stream, SchedulerAnswer answer) = 0;
  virtual void OnTrigger(const Trigger& trigger) = 0;
  // The stream's peer can be reached (its host has not crashed).
  virtual HostState StateOf(HostId host) const = 0;
  // What the wire would say about a parent, beside what the scheduler knows.
  virtual void Complete(dfdaemon::core::ParentInfo& parent) const = 0;
};

// The scheduler as the nodes see it: streams, a queue in front of a Brain that takes its time for
// each event, and restarts.
//
// Hosts and tasks have numbers here: their ids on the wire are HostName and TaskName.
//
// Threading: a value; one thread.
class SimScheduler : private scheduler::core::DecisionSink {
 public:
  struct Options {
    Nanos latency = kMillisecond;      // one way, to every host
    Nanos service = 4 * kMicrosecond;  // for each event
    bool stripes = true;               // it speaks stripes/1
    std::function<std::unique_ptr<Brain>()> make_brain;
  };
  SimScheduler(EventQueue& queue, Delays& delays, SchedulerUser& user, Options options);
  ~SimScheduler() override;

  static std::string HostName(HostId host);
  static std::string TaskName(uint32_t task);
  static std::string PeerName(PeerId peer);
  // Of one of ours; kNobody for another one.
  static PeerId PeerOf(std::string_view name);
  static HostId HostOf(std::string_view name);

  // Known from the beginning; later announcements go through Announce.
  void AddHost(scheduler::core::HostFacts facts);
  void Announce(HostId host, scheduler::core::HostFacts facts);
  void SetSeeds(std::vector<HostId> seeds);

  // A new AnnouncePeer stream; if nobody listens, RegistrationEnded comes.
  scheduler::core::StreamId Open(PeerId peer, HostId host);
  // On the stream; dropped when it has ended. A Register needs no host: it is looked up by id.
  void Send(scheduler::core::StreamId stream, scheduler::core::Event event);
  // The same for what a peer says of itself; stream 0: nobody hears it.
  using PeerNews = decltype(scheduler::core::PeerMessage::body);
  void Say(scheduler::core::StreamId stream, PeerNews news);
  // The node's end closes the stream, or loses it.
  void Close(scheduler::core::StreamId stream);
  // The stream breaks: both ends hear of it.
  void Break(scheduler::core::StreamId stream);
  void TriggerEnded(const Trigger& trigger, bool ok);
  // Uplink reports: counted; the shards take no notice yet.
  void ReportRate(HostId host, double bytes_per_second);

  // Its process ends: all streams break, everything is forgotten.
  void Stop();
  void Start();
  bool running() const { return brain_ != nullptr; }
  absl::Status Audit() const { return running() ? brain_->Audit() : absl::OkStatus(); }

  void OnInput(const Event& event);
  void OnDone(const Event& event);
  void OnTimer(const Event& event);
  void OnAnswerArrived(const Event& event);
  void OnTriggerArrived(const Event& event);

  struct Counts {
    uint64_t received = 0;
    uint64_t sent = 0;
    uint64_t most_waiting = 0;  // events in the queue
    Nanos busy = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Input {
    uint32_t incarnation = 0;
    std::variant<scheduler::core::Event, scheduler::core::HostFacts> what;
  };
  struct Stream {
    PeerId peer = kNobody;
    HostId host = 0;
    scheduler::core::PeerHandle handle;
    Nanos up = 0;  // arrival of what was sent last
    Nanos down = 0;
    uint32_t incarnation = 0;
    bool closed = false;  // by the node
    bool ended = false;   // by the scheduler
  };
  struct Answer {
    scheduler::core::StreamId stream = 0;
    SchedulerAnswer what;
  };

  void Post(Input input, Nanos at);
  void ServeNext();
  void ArmTimer();
  void Tell(scheduler::core::StreamId stream, SchedulerAnswer answer);
  dfdaemon::core::RegistrationEnded Lost() const;

  // DecisionSink
  void Registered(scheduler::core::StreamId stream, const scheduler::core::PeerHandle& peer,
                  scheduler::core::HostType host_type, int priority) override;
  void SendEmpty(scheduler::core::StreamId stream) override;
  void SendParents(scheduler::core::StreamId stream,
                   scheduler::core::CandidateParents parents) override;
  void SendNeedBackToSource(scheduler::core::StreamId stream, std::string description) override;
  void SendMetadataOnly(scheduler::core::StreamId stream) override;
  void EndStream(scheduler::core::StreamId stream, absl::Status status) override;
  void AnswerPeer(scheduler::core::RequestId, absl::Status, const scheduler::core::TaskView&,
                  const scheduler::core::PeerView&) override {}
  void AnswerTask(scheduler::core::RequestId, absl::Status,
                  const scheduler::core::TaskView&) override {}
  void AnswerDone(scheduler::core::RequestId, absl::Status) override {}
  void StartSeedTrigger(scheduler::core::SeedTrigger trigger) override;
  void Scheduled(absl::Duration) override {}
  void Downloaded(absl::Duration, std::optional<uint64_t>) override {}

  EventQueue& queue_;  // these outlive it
  Delays& delays_;
  SchedulerUser& user_;
  Options options_;
  std::unique_ptr<Brain> brain_;
  std::unique_ptr<scheduler::core::HostTable> hosts_;
  std::vector<HostId> seeds_;
  uint32_t incarnation_ = 1;
  bool serving_ = false;
  std::deque<Input> waiting_;
  Nanos timer_ = INT64_MAX;  // of the pending kSchedulerTimer
  Slots<Input> on_the_way_;
  Slots<Answer> answers_;
  Slots<Trigger> triggers_;
  std::vector<Stream> streams_;  // by StreamId; 0 is none
  Counts counts_;
};

}  // namespace dragonfly::sim
