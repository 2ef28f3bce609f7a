#pragma once

#include <deque>
#include <string>
#include <vector>

#include "dfdaemon/core/random.h"
#include "tests/sim/peer.h"

namespace dragonfly::sim {

// A node that follows upstream's published rules: whole pieces only, 8 at once, a die weighted by
// what parents say they have left for each piece, up to 100 ms of waiting for further parents to
// report a piece, other parents only when nothing is left to be done with those it has. Contents of
// one piece are read from the origin without asking anybody. (docs/reference/piece_rpcs.md,
// docs/reference/announce_peer.md)
class UpstreamPeer final : public Peer {
 public:
  UpstreamPeer(PeerWorld& world, PeerId id, HostId host, uint32_t task, PieceStore store,
               uint64_t seed);

  bool ours() const override { return false; }
  bool knows_shape() const override { return knows_shape_; }
  bool reads_origin() const override { return phase_ == Phase::kOrigin; }
  bool running() const override { return phase_ != Phase::kDone; }
  scheduler::core::StreamId stream() const override { return stream_; }
  std::string Explain() const override;

  void Start(bool as_seed) override;
  void AnnounceHolding() override {}  // it never does
  void OnAnswer(scheduler::core::StreamId stream, SchedulerAnswer answer) override;
  void OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) override;
  void OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) override;
  void OnPieceBlock(const Transfer& transfer, uint32_t bytes, bool last) override;
  void OnOriginBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) override;
  void OnFailed(SlotRef ref, const Transfer& transfer, FailureKind kind) override;
  void OnSourceAsked(uint32_t reading) override;
  void OnSourceHead(uint32_t) override {}
  void OnTimer() override;
  void BreakStreams() override;

 private:
  enum class Phase : uint8_t { kStat, kAnswer, kParents, kOrigin, kDone };
  enum class Step : uint8_t { kMissing, kReported, kReady, kFetching };

  struct Candidate {
    PeerId peer = kNobody;
    SlotRef link;
    bool open = false;  // it may report more
    Nanos last_heard = 0;
  };
  struct Piece {
    Step step = Step::kMissing;
    uint64_t holders = 0;  // a bit for each candidate
  };
  struct Fetch {
    PieceNumber piece = 0;
    size_t candidate = 0;
    SlotRef transfer;
    Nanos started = 0;
  };

  void Tell(SimScheduler::PeerNews news);
  void TakeParents(const dfdaemon::core::AnswerParents& answer);
  void CloseParents();
  uint64_t OpenMask() const;
  void Release(PieceNumber piece);
  void ReleaseDue();
  void StartFetches();
  size_t Choose(uint64_t holders);
  void LeaveFetch(size_t index, bool drop_holder);
  void CheckParentPhase();
  void GoToOrigin(bool reported);
  void ReadMore();
  void Finish();
  void Arm();

  dfdaemon::core::Random random_;
  Phase phase_ = Phase::kStat;
  bool knows_shape_ = false;
  bool reported_ = true;  // the scheduler is told of what is read from the origin
  bool as_seed_ = false;
  uint32_t answers_ = 0;
  scheduler::core::StreamId stream_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<Piece> pieces_;
  std::deque<PieceNumber> ready_;
  struct Awaited {
    Nanos until = 0;
    PieceNumber piece = 0;
  };
  std::deque<Awaited> awaited_;  // reported by some of the parents; by time
  std::vector<Fetch> fetches_;
  PieceNumber next_read_ = 0;
  uint32_t reads_ = 0;  // from the origin, on their way
  uint64_t last_fetch_ = 0;
};

}  // namespace dragonfly::sim
