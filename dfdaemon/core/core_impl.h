#pragma once

// The inside of DownloadCore; included by its sources only (core_*.cc, one for each concern).
//
// Every event changes the state of what it is about; then Advance() looks at the whole state and
// does what is due. So what is to be done does not depend on the way that led there, and nothing is
// forgotten.

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dfdaemon/core/backoff.h"
#include "dfdaemon/core/downlink_meter.h"
#include "dfdaemon/core/download_core.h"
#include "dfdaemon/core/parent_selector.h"
#include "dfdaemon/core/piece_picker.h"
#include "dfdaemon/core/random.h"
#include "dfdaemon/core/source_plan.h"

namespace dragonfly::dfdaemon::core {

class DownloadCore::Impl {
 public:
  static constexpr uint32_t kStripes = PiecePicker::kStripes;

  Impl(common::id::TaskKey key, CoreOptions options, StoredState stored, uint64_t seed);

  void Handle(const Event& event, absl::Time now, std::vector<Action>& actions);
  void OnTime(absl::Time now, std::vector<Action>& actions);
  absl::Time NextDeadline() const;

  const Geometry& geometry() const { return geometry_; }
  bool has_piece(PieceNumber number) const { return picker_.stored(number); }
  bool complete() const;
  const Timeline& timeline() const { return timeline_; }

 private:
  // ---- what there is ----

  struct Request {
    std::optional<ByteRange> range;
    bool may_use_source = true;
    bool must_use_source = false;
    bool in_order = false;
    bool verifying = false;
    absl::Time verify_deadline = absl::InfiniteFuture();
    // Set when the length is known.
    bool placed = false;
    PieceNumber begin = 0;
    PieceNumber end = 0;
    uint32_t left = 0;  // pieces not stored
  };

  struct Registration {
    bool open = false;
    bool waiting = false;  // for an answer, since asked_at
    absl::Time asked_at;
    uint32_t attempt = 0;
    uint32_t tries = 0;      // registrations since a piece was last stored
    uint32_t fruitless = 0;  // answers since then
    bool host_retried = false;
    absl::Time again_at = absl::InfinitePast();  // not sooner, by who could do without
    bool source_reported = false;
    bool knows_length = false;
  };

  struct Parent {
    Parent(ParentInfo named, Backoff wait, absl::Time now)
        : info(std::move(named)), silent_since(now), last_heard(now), backoff(wait) {}

    ParentInfo info;
    bool has_spoken = false;  // `info` says what it has said itself that it speaks
    bool ended = false;       // it will offer nothing more
    bool retiring = false;    // the scheduler prefers others: its fetches may end
    uint32_t failures = 0;    // in a row
    uint32_t refusals = 0;    // in a row
    absl::Time silent_since;  // opened, or offered something new last
    absl::Time hold_until = absl::InfinitePast();
    // It did not know the task yet: a peer that has just begun. Asked again then.
    absl::Time reopen_at = absl::InfiniteFuture();
    uint32_t reopenings = 0;
    absl::Time last_heard;  // anything, a keepalive too
    bool heard = false;     // since it was opened
    // Asked for what is another's, it was busy.
    absl::Time no_steal_until = absl::InfinitePast();
    double rate = 0;  // bytes per second while a piece comes from it; 0: not measured
    Backoff backoff;
    absl::flat_hash_set<PieceNumber> denied;  // offered, but refused when asked for
  };

  enum class FetchKind : uint8_t {
    kPlain,
    kSteal,     // it has another parent in the first place
    kTakeOver,  // until its first block is here, the slow one that it replaces goes on
    kDouble,    // the same piece twice, in the endgame
  };
  struct Fetch {
    FetchId id = 0;
    ParentSlot parent = 0;
    PieceNumber number = 0;
    FetchKind kind = FetchKind::kPlain;
    uint64_t length = 0;  // bytes that are asked for
    absl::Time started;
    absl::Time last_byte;
    absl::Time look_at;  // when it is looked at whether it should be given up
    absl::Time first_byte = absl::InfiniteFuture();
    uint64_t first_bytes = 0;  // that came then
    uint64_t bytes = 0;        // so far
    bool IsSteal() const { return kind == FetchKind::kSteal || kind == FetchKind::kTakeOver; }
  };
  // When a piece was first offered by anybody.
  struct FirstSeen {
    PieceNumber number = 0;
    absl::Time at;
  };

  enum class SourceMode : uint8_t {
    kNone,
    kSeed,     // a caller told us to read it, the scheduler has not been heard yet
    kGranted,  // the scheduler has sent us there
    kOwn,      // nobody else has what is missing
  };
  struct SourceState {
    SourceMode mode = SourceMode::kNone;
    bool open = false;
    bool head_seen = false;
    bool told_length = false;
    bool to_the_end = false;  // the present stretch has no upper bound
    absl::Time last_byte;
    PieceNumber position = 0;  // next piece that it will bring
    uint32_t brought = 0;      // pieces since it was opened
    uint32_t failures = 0;     // endings in a row that brought no piece
    absl::Time retry_at = absl::InfiniteFuture();
    bool left_for_parents = false;
    std::optional<absl::Status> failed;  // it has been given up
  };

  // ---- core_requests.cc ----
  void On(const Attach& event);
  void On(const Detach& event);
  void On(const DigestChecked& event);
  void On(const PieceLost& event);
  void On(const Shutdown& event);
  bool AnyActive() const;  // a request that lacks pieces
  bool AnyActiveMayUseSource() const;
  bool WantSeed() const;
  bool Place(Request& request, absl::Status& why);
  void Settle();
  void MarkWanted();
  void Store(const PieceInfo& piece);
  void Finish(RequestId id, const absl::Status& status);
  void FailActive(const absl::Status& status);
  void OnDigestMismatch(RequestId id, const absl::Status& status);

  // ---- core_geometry.cc ----
  // False: it contradicts what is known (or makes no sense).
  bool LearnLength(uint64_t content_length, std::optional<uint64_t> piece_length);
  void SetUnknownLength();
  std::optional<uint64_t> PieceLengthOf(const ParentInfo& parent) const;
  bool LearnFrom(const std::vector<ParentInfo>& parents);
  bool Fits(const PieceInfo& piece) const;
  void Discard(const absl::Status& why);

  // ---- core_registration.cc ----
  void On(const AnswerParents& event);
  void On(const AnswerSource& event);
  void On(const AnswerEmpty& event);
  void On(const RegistrationEnded& event);
  void OpenRegistration(uint32_t attempt);
  void RegisterNext();
  // It reads the origin, and schedulers do not know it.
  bool ReadsUnknown() const;
  bool SchedulersExhausted() const { return registration_.tries >= options_.register_attempts; }
  void EndRegistration(const absl::Status& status);
  void AbandonRegistration(const absl::Status& why);
  void Reschedule();
  void Answered();

  // ---- core_parents.cc ----
  void On(const ParentSpeaks& event);
  void On(const ParentOffers& event);
  void On(const ParentEnded& event);
  void On(const ParentLoad& event);
  void On(const FetchProgress& event);
  void On(const FetchDone& event);
  void On(const FetchFailed& event);
  void On(const PieceKept& event);
  void TakeParents(const AnswerParents& answer);
  void SetPrimaries(const AnswerParents& answer);
  bool TakeOffer(ParentSlot slot, const PieceOffer& offer);
  bool IsPrimary(ParentSlot slot) const;
  void Heard(Parent& parent);
  std::optional<ParentSlot> FreeSlot() const;
  std::optional<ParentSlot> SlotOf(const std::string& peer_id) const;
  void Open(ParentSlot slot);
  void Reopen(ParentSlot slot);
  void ReopenDue();
  void Close(ParentSlot slot);
  void CloseRetired();
  // Not to be used again: for the task, or until the scheduler offers it again.
  void Avoid(ParentSlot slot, std::optional<PieceNumber> number, const absl::Status& why);
  void GiveUp(ParentSlot slot, const absl::Status& why);
  void Charge(ParentSlot slot, Blame blame, const absl::Status& why);
  void NoteBad(const std::string& peer_id);
  std::vector<PieceNumber> Interested() const;
  void TellLostPrimary();

  // ---- core_fetches.cc ----
  void Start(ParentSlot slot, PieceNumber number, FetchKind kind);
  Fetch* Find(FetchId id);
  uint32_t KeptBlocks(PieceNumber number) const;
  void Keep(PieceNumber number, uint32_t blocks);
  void Measure(const Fetch& fetch, const PieceInfo& piece);
  // Forgets the fetch; `cancel` tells the driver too.
  void Drop(FetchId id, bool cancel);
  void DropFetchesOf(ParentSlot slot);
  void DropUnwantedFetches();
  void DropFetchesOfPiece(PieceNumber number);
  void DropBegunFetches();
  void CheckFetches();

  // ---- core_choose.cc ----
  void StartFetches();
  bool FollowsStripes() const;
  bool IsMeshOfOurs() const;
  bool Starves() const;
  bool ReadsAlong() const;
  PickRule Rule() const;
  bool CanFetch(ParentSlot slot) const;
  bool CanSteal(ParentSlot slot) const;
  bool IsFull(ParentSlot slot) const;
  uint32_t FetchLimit() const;
  void FillMesh(const PickRule& rule);
  void FillPrimaries(const PickRule& rule);
  void Steal(const PickRule& rule);
  std::array<StripeState, kStripes> Stripes() const;
  std::optional<ParentSlot> PrimaryOf(PieceNumber number) const;
  void NoteFirstSeen(PieceNumber number);
  void Ripen();

  // ---- core_giveup.cc ----
  void CheckStuck();
  bool GiveUpSteal(const Fetch& fetch);
  bool MoveStarving(const Fetch& fetch);
  absl::Duration Patience(const Fetch& fetch, double taus) const;
  absl::Duration LeastPatience(const Fetch& fetch) const;
  absl::Time FirstLook(const Fetch& fetch) const;
  void WaitBusy(Parent& parent);
  void OnStealRefused(ParentSlot slot);
  void WithdrawStealsFor(ParentSlot primary, PieceNumber number);
  void CheckSilence();
  absl::Time DeadAt(const Parent& parent) const;

  // ---- core_takeover.cc ----
  void TakeOverSlow();
  // When it is worth while, if nothing more comes; InfiniteFuture: never.
  absl::Time TakeOverAt(ParentSlot slot, const Fetch& fetch) const;
  void FinishTakeOver(FetchId id);
  void StartEndgame();
  bool IsEndgame() const;
  absl::Duration SlowAfter() const;

  // ---- core_source.cc ----
  void On(const SourceHead& event);
  void On(const SourceProgress& event);
  void On(const SourcePiece& event);
  void On(const SourceEnded& event);
  void UseSource(SourceMode mode);
  void OpenStretch();
  void CloseReader();
  void OnSourceFailure(const absl::Status& status);
  void OnContentChanged(const absl::Status& status);
  void GiveUpSource(const absl::Status& status);
  bool SourceActive() const;

  // ---- core_advance.cc ----
  void Advance();
  void EnsureSupply();
  void EnsureProgress();
  bool AnyUseful() const;
  bool AwaitingOffers() const;
  void CloseFruitlessParents();
  void GoToSource();
  void Quiesce();
  void NoteSwarm();
  void CheckTimers();
  void OnNoProgress();
  void OnStall();
  absl::Status Stalled() const;

  void Emit(Action action) { actions_->push_back(std::move(action)); }
  void Note(std::string what,
            common::status::ErrorReason reason = common::status::ErrorReason::kUnknown) {
    timeline_.Add(now_, std::move(what), reason);
  }
  void Progress() { last_progress_ = now_; }
  // Something is done otherwise than before, though nothing has come of it yet.
  void Changed() { changed_at_ = now_; }
  absl::Time ProgressDeadline() const {
    return std::max(last_progress_, changed_at_) + options_.progress_timeout;
  }

  // ---- state ----
  common::id::TaskKey key_;
  CoreOptions options_;
  Random random_;
  uint64_t chosen_piece_length_ = 0;  // the caller's; 0: ours to compute
  Geometry geometry_;
  PiecePicker picker_;
  ParentSelector selector_;
  SourcePlan plan_;
  Timeline timeline_;

  std::map<RequestId, Request> requests_;
  Registration registration_;
  std::vector<std::optional<Parent>> parents_;  // by slot
  absl::flat_hash_map<std::string, ParentSlot> slots_;
  // The scheduler has named a primary for each stripe; those that have gone since are unset.
  bool striped_ = false;
  bool named_stripes_ = false;  // the scheduler would; there is but one parent
  std::array<std::optional<ParentSlot>, kStripes> primaries_;
  absl::Time lost_told_at_ = absl::InfinitePast();
  bool primary_lost_ = false;  // the scheduler is to be told
  uint32_t lost_told_ = 0;     // since a piece was stored
  bool shaped_ = false;        // FollowsStripes(), as of the last choice
  DownlinkMeter meter_;
  Bitmap seen_;                      // pieces that anybody has offered
  std::vector<FirstSeen> ripening_;  // in order of time, from ripening_begin_ on
  size_t ripening_begin_ = 0;
  absl::Time steal_at_ = absl::InfiniteFuture();  // something that was left alone may be taken
  absl::Time take_over_at_ = absl::InfiniteFuture();
  absl::flat_hash_map<PieceNumber, uint32_t> kept_;     // leading blocks, of pieces not stored
  absl::flat_hash_map<PieceNumber, uint8_t> give_ups_;  // of pieces not stored
  struct {
    uint64_t stolen = 0;
    uint64_t refused = 0;
    uint64_t withdrawn = 0;
    uint64_t taken_over = 0;
  } swarm_;                                     // for the timeline
  absl::flat_hash_set<std::string> avoided_;    // broke the protocol or brought bad bytes
  absl::flat_hash_set<std::string> suppliers_;  // parents whose bytes are in the content
  std::vector<std::string> bad_;                // to be told at the next reschedule
  std::vector<Fetch> fetches_;
  FetchId next_fetch_ = 1;
  FetchId oldest_valid_fetch_ = 1;  // older ones fetched content that was thrown away
  double mean_piece_seconds_ = 0;
  SourceState source_;
  Backoff source_backoff_;
  Backoff reschedule_backoff_;
  absl::Time reschedule_at_ = absl::InfiniteFuture();
  absl::Time last_progress_;
  absl::Time changed_at_ = absl::InfinitePast();
  bool changed_once_ = false;
  bool digest_retried_ = false;
  bool ended_ = false;
  absl::Status outcome_;  // of the request that ended last
  uint32_t local_failures_ = 0;
  bool ever_registered_ = false;
  absl::Status last_scheduler_error_;

  // Of the call in hand.
  absl::Time now_;
  std::vector<Action>* actions_ = nullptr;
};

}  // namespace dragonfly::dfdaemon::core
