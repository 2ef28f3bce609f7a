#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"
#include "tests/sim/links.h"
#include "tests/sim/peer.h"
#include "tests/sim/piece_feeds.h"
#include "tests/sim/policy.h"
#include "tests/sim/result.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sim_scheduler.h"
#include "tests/sim/transport.h"

namespace dragonfly::sim {

// One run of a scenario under a policy: hosts, their peers, the scheduler and the origin in virtual
// time. Everything comes from `seed`; two runs with the same arguments are the same to the last
// event.
//
// Host 0 is the origin, then come seed peers, then peers.
//
// Threading: a value; one thread. Scenario and policy outlive it.
class World final : private TransportUser,
                    private PieceFeedUser,
                    private SchedulerUser,
                    private PeerWorld {
 public:
  World(const Scenario& scenario, const Policy& policy, uint64_t seed);
  ~World() override;

  RunResult Run();
  // The scheduler's books are checked after every so many events; what is wrong ends the run as one
  // that got stuck. 0: never.
  void AuditEvery(uint64_t events) { audit_every_ = events; }

 private:
  struct Host {
    bool is_seed = false;
    bool upstream = false;
    bool corrupt = false;
    bool excused = false;
    bool failed = false;
    double announced = 0;  // bytes per second
    Nanos joined = -1;
    Nanos done = -1;
    Nanos clock_ahead = 0;
    uint32_t next_task = 0;  // to be begun
    uint32_t tasks_left = 0;
    std::vector<PeerId> peers;  // by task; its present part in it
    // What it sent in this second and in the one before.
    Nanos second = 0;
    uint64_t sent_before = 0;
    double sending = 0;
  };
  struct Seeding {
    Trigger trigger;
    PeerId peer = kNobody;
  };

  // world.cc: building and running
  void BuildHosts();
  void AddHost(bool is_seed, double up, double down);
  void ScheduleJoins();
  void ScheduleFaults();
  void Dispatch(const Event& event);
  bool AllDone() const { return left_ == 0; }
  scheduler::core::HostFacts FactsOf(HostId host) const;

  // world_peers.cc
  Peer& AddPeer(HostId host, uint32_t task, PieceStore store);
  // A new part in the task for a host that had one, with the whole pieces that it has left.
  Peer& Renew(HostId host, uint32_t task);
  Peer* Reachable(PeerId id);
  void Join(HostId host);
  void StartTasks(HostId host);
  void Excuse(HostId host);

  // world_faults.cc
  void Apply(const Fault& fault);
  void Crash(HostId host);
  void StartAgain(HostId host);
  void Hang(HostId host);
  void SlowInterior();

  // world_result.cc
  RunResult Result() const;
  double FloorOf(HostId host) const;
  std::string ExplainStuck(bool out_of_events) const;

  // TransportUser
  std::optional<Admission> Admit(SlotRef ref, Transfer& transfer) override;
  void OnServed(SlotRef ref, const Transfer& transfer) override;
  void OnBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) override;
  void OnFailed(SlotRef ref, Transfer& transfer, FailureKind kind) override;
  void OnUplinkRate(HostId host, double bytes_per_second) override;
  // PieceFeedUser, SchedulerUser
  HostState StateOf(HostId host) const override { return transport_->state(host); }
  PeerId PeerOn(HostId host, uint32_t task) const override;
  const PieceStore* StoreOf(PeerId peer) const override;
  void OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) override;
  void OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) override;
  void OnAnswer(PeerId peer, scheduler::core::StreamId stream, SchedulerAnswer answer) override;
  void OnTrigger(const Trigger& trigger) override;
  void Complete(dfdaemon::core::ParentInfo& parent) const override;
  // PeerWorld
  Nanos now() const override { return queue_.now(); }
  absl::Time LocalTime(HostId host) const override;
  HostId origin() const override { return 0; }
  const TaskShape& ShapeOf(uint32_t task) const override { return shapes_[task]; }
  HostId HostOf(PeerId peer) const override { return peers_[peer]->host(); }
  bool IsOurs(PeerId peer) const override { return peers_[peer]->ours(); }
  double AnnouncedBits(HostId host) const override { return hosts_[host].announced * 8; }
  double DownlinkBits(HostId host) const override { return links_.rates(host).down * 8; }
  double SendingBits(HostId host) const override;
  bool passes_on() const override { return policy_.pass_on; }
  uint32_t progress_blocks() const override { return scenario_.progress_blocks; }
  bool stripes() const override { return policy_.stripes; }
  Transport& transport() override { return *transport_; }
  PieceFeeds& feeds() override { return *feeds_; }
  SimScheduler& scheduler() override { return *scheduler_; }
  scheduler::core::Register MakeRegister(const Peer& peer) const override;
  void AnnounceHost(HostId host) override;
  void WakeAt(Peer& peer, Nanos at) override;
  void AskSource(Peer& peer, uint32_t reading, Nanos patience) override;
  void SendSourceHead(Peer& peer, uint32_t reading) override;
  Nanos FirstBytePatience(const Peer& peer) override;
  bool Stored(Peer& peer, PieceNumber piece, uint32_t blocks, uint8_t hops,
              uint32_t bytes) override;
  void Wasted(uint64_t bytes) override { wasted_bytes_ += bytes; }
  void Ended(Peer& peer, const absl::Status& status) override;

  const Scenario& scenario_;
  const Policy& policy_;
  const uint64_t seed_;
  dfdaemon::core::Random random_;
  std::vector<TaskShape> shapes_;
  std::vector<std::shared_ptr<const scheduler::core::TaskDescriptor>> descriptors_;
  std::shared_ptr<const std::string> download_;

  mutable EventQueue queue_;
  Links links_;
  std::unique_ptr<Delays> delays_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<PieceFeeds> feeds_;
  std::unique_ptr<SimScheduler> scheduler_;

  HostId first_peer_ = 0;
  mutable std::vector<Host> hosts_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<Seeding> seeding_;
  std::vector<Fault> faults_;
  std::vector<bool> origin_asked_;  // by host and task: its first question has been answered
  double all_uplinks_ = 0;          // bytes per second, of seeds and peers, at the start
  uint32_t left_ = 0;               // hosts that are to finish
  Nanos limit_ = 0;
  Nanos last_done_ = 0;
  Nanos seed_first_byte_ = -1;
  uint64_t wasted_bytes_ = 0;
  uint64_t rate_reports_ = 0;
  uint64_t events_ = 0;
  uint64_t audit_every_ = 0;
  uint64_t digest_ = 0xcbf29ce484222325;
  std::string stuck_;
};

}  // namespace dragonfly::sim
