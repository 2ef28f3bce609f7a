#pragma once

// The inside of DownloadCore; included by its sources only (core_*.cc, one for each concern).
//
// Every event changes the state of what it is about; then Advance() looks at the whole state and
// does what is due. So what is to be done does not depend on the way that led there, and nothing is
// forgotten.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dfdaemon/core/backoff.h"
#include "dfdaemon/core/download_core.h"
#include "dfdaemon/core/parent_selector.h"
#include "dfdaemon/core/piece_picker.h"
#include "dfdaemon/core/random.h"
#include "dfdaemon/core/source_plan.h"

namespace dragonfly::dfdaemon::core {

class DownloadCore::Impl {
 public:
  static constexpr size_t kStripes = 2;

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
    bool source_reported = false;
    bool knows_length = false;
  };

  struct Parent {
    ParentInfo info;
    bool ended = false;       // it will offer nothing more
    bool retiring = false;    // the scheduler prefers others: its fetches may end
    uint32_t failures = 0;    // in a row
    uint32_t refusals = 0;    // in a row
    absl::Time silent_since;  // opened, or offered something new last
    absl::Time hold_until = absl::InfinitePast();
    // It did not know the task yet: a peer that has just begun. Asked again then.
    absl::Time reopen_at = absl::InfiniteFuture();
    uint32_t reopenings = 0;
    Backoff backoff;
    absl::flat_hash_set<PieceNumber> denied;  // offered, but refused when asked for
  };

  struct Fetch {
    FetchId id = 0;
    ParentSlot parent = 0;
    PieceNumber number = 0;
    absl::Time started;
    absl::Time last_byte;
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
  bool SchedulersExhausted() const { return registration_.tries >= options_.register_attempts; }
  void EndRegistration(const absl::Status& status);
  void AbandonRegistration(const absl::Status& why);
  void Reschedule();
  void Answered();

  // ---- core_parents.cc ----
  void On(const ParentOffers& event);
  void On(const ParentEnded& event);
  void On(const ParentLoad& event);
  void On(const FetchProgress& event);
  void On(const FetchDone& event);
  void On(const FetchFailed& event);
  void TakeParents(const AnswerParents& answer);
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

  // ---- core_fetches.cc ----
  void StartFetches();
  void Start(ParentSlot slot, PieceNumber number);
  void StartEndgame();
  absl::Duration SlowAfter() const;
  bool LeftToPrimary(ParentSlot slot, PieceNumber number);
  absl::Duration StealAfter() const;
  bool IsEndgame() const;
  bool CanFetch(ParentSlot slot) const;
  Fetch* Find(FetchId id);
  // Forgets the fetch; `cancel` tells the driver too.
  void Drop(FetchId id, bool cancel);
  void DropFetchesOf(ParentSlot slot);
  void DropUnwantedFetches();
  void DropFetchesOfPiece(PieceNumber number);

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
  void CheckFetches();
  void CheckTimers();
  void OnStall();
  absl::Status Stalled() const;

  void Emit(Action action) { actions_->push_back(std::move(action)); }
  void Note(std::string what,
            common::status::ErrorReason reason = common::status::ErrorReason::kUnknown) {
    timeline_.Add(now_, std::move(what), reason);
  }
  void Progress() { last_progress_ = now_; }

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
  // Who is asked first for even and for odd pieces, while these are open.
  std::array<std::string, kStripes> primaries_;
  std::vector<absl::Time> first_offered_;         // by piece; shorter than the task: not yet
  absl::Time steal_at_ = absl::InfiniteFuture();  // a piece that was left to its primary is free
  absl::flat_hash_set<std::string> avoided_;      // broke the protocol or brought bad bytes
  absl::flat_hash_set<std::string> suppliers_;    // parents whose bytes are in the content
  std::vector<std::string> bad_;                  // to be told at the next reschedule
  std::vector<Fetch> fetches_;
  FetchId next_fetch_ = 1;
  FetchId oldest_valid_fetch_ = 1;  // older ones fetched content that was thrown away
  double mean_piece_seconds_ = 0;
  SourceState source_;
  Backoff source_backoff_;
  Backoff reschedule_backoff_;
  absl::Time reschedule_at_ = absl::InfiniteFuture();
  absl::Time last_progress_;
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
