#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dfdaemon/core/download_core.h"
#include "tests/sim/peer.h"

namespace dragonfly::sim {

// A node of ours: the real DownloadCore, and around it what its driver does in a daemon.
class OurPeer final : public Peer {
 public:
  OurPeer(PeerWorld& world, PeerId id, HostId host, uint32_t task, PieceStore store, uint64_t seed);
  ~OurPeer() override;

  bool ours() const override { return true; }
  bool knows_shape() const override { return knows_shape_; }
  bool reads_origin() const override { return reading_.open; }
  bool running() const override { return core_.has_value(); }
  scheduler::core::StreamId stream() const override { return stream_; }
  std::string Explain() const override;

  void Start(bool as_seed) override;
  void AnnounceHolding() override;
  void OnAnswer(scheduler::core::StreamId stream, SchedulerAnswer answer) override;
  void OnOffers(SlotRef link, const SyncLink& info, std::span<const Offer> offers) override;
  void OnLinkEnded(SlotRef link, const SyncLink& info, FailureKind kind) override;
  void OnPieceBlock(const Transfer& transfer, uint32_t bytes, bool last) override;
  void OnOriginBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) override;
  void OnFailed(SlotRef ref, const Transfer& transfer, FailureKind kind) override;
  void OnSourceAsked(uint32_t reading) override;
  void OnSourceHead(uint32_t reading) override;
  void OnTimer() override;
  void BreakStreams() override;

 private:
  struct Link {
    PeerId parent = kNobody;
    SlotRef ref;
  };
  struct Fetch {
    uint64_t id = 0;
    SlotRef transfer;
    uint64_t untold_bytes = 0;
  };
  // The reading of the origin in hand.
  struct Reading {
    bool open = false;
    bool has_run = false;  // blocks are on their way
    uint32_t number = 0;
    uint32_t next_block = 0;  // of the content
    uint32_t end_block = 0;
    SlotRef transfer;
  };

  void Feed(const dfdaemon::core::Event& event);
  void CarryAll();
  void Arm();
  void Carry(const dfdaemon::core::Register& a);
  void Carry(const dfdaemon::core::ReportStarted& a);
  void Carry(const dfdaemon::core::ReportSourceStarted& a);
  void Carry(const dfdaemon::core::ReportGeometry& a);
  void Carry(const dfdaemon::core::ReportPiece& a);
  void Carry(const dfdaemon::core::ReportPieceFailed& a);
  void Carry(const dfdaemon::core::ReportReschedule& a);
  void Carry(const dfdaemon::core::ReportEnd& a);
  void Carry(const dfdaemon::core::OpenParent& a);
  void Carry(const dfdaemon::core::CloseParent& a);
  void Carry(const dfdaemon::core::StartFetch& a);
  void Carry(const dfdaemon::core::CancelFetch& a);
  void Carry(const dfdaemon::core::OpenSource& a);
  void Carry(const dfdaemon::core::CloseSource& a);
  void Carry(const dfdaemon::core::SetGeometry& a);
  void Carry(const dfdaemon::core::DiscardContent& a);
  void Carry(const dfdaemon::core::VerifyDigest& a);
  void Carry(const dfdaemon::core::FinishRequest& a);
  void Carry(const dfdaemon::core::Ended& a);

  void Tell(SimScheduler::PeerNews news);
  void SendRegister(const dfdaemon::core::Geometry& geometry, bool need_source, bool metadata_only);
  dfdaemon::core::PieceInfo InfoOf(PieceNumber piece, PeerId parent) const;
  void AskOrigin(Nanos patience);
  void EndReading(const absl::Status& status);

  std::optional<dfdaemon::core::DownloadCore> core_;  // nothing before Start and after its end
  std::vector<dfdaemon::core::Action> actions_;
  std::vector<dfdaemon::core::Event> due_;  // to be fed when the actions in hand are carried out
  bool carrying_ = false;
  bool knows_shape_ = false;
  bool core_ended_ = false;
  bool holding_ = false;  // the stream only announces what is here
  scheduler::core::StreamId stream_ = 0;
  std::vector<Link> links_;
  std::vector<Fetch> fetches_;
  Reading reading_;
  uint64_t seed_;
};

}  // namespace dragonfly::sim
