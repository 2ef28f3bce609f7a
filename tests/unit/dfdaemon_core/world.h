#pragma once

// A small world in virtual time: callers, schedulers, parents and an origin, each with its faults,
// all from one seed. It carries out the actions of a DownloadCore and complains about every one
// that makes no sense.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "dfdaemon/core/random.h"
#include "tests/unit/dfdaemon_core/play.h"

namespace dragonfly::dfdaemon::core {

enum class ParentKind : uint8_t {
  kGood,
  kSlow,
  kRefuses,
  kCorrupt,
  kUnreachable,
  kHangs,
  kTrickles,
  kLies,  // offers that do not fit
  kSaysNothing,
  kBreaks,  // its stream of offers
  kOtherContent,
  kPoisons,  // wrong bytes with a right checksum
  // These pass blocks on.
  kPasses,
  kBusy,         // to who steals, mostly
  kOnlyBegins,   // what it begins never becomes whole
  kFallsSilent,  // speaks keepalive, for a while
  kCount,
};
inline constexpr ParentKind kFirstThatPasses = ParentKind::kPasses;

enum class OriginKind : uint8_t {
  kGood,
  kNoRanges,
  kNoLength,
  kGone,    // 404
  kBusy,    // 503 now and then
  kBreaks,  // in the middle
  kChanges,
  kShort,  // ends in good order too early
  kSilent,
  kCount,
};

enum class WorldMode : uint8_t {
  kAny,
  // The scheduler works, parents are slow or busy at worst, and together they have everything: who
  // does not go away gets it, without the origin.
  kLive,
  // Nobody ever says anything but that it is there.
  kHung,
};

class World {
 public:
  World(common::id::TaskKind kind, uint64_t seed, WorldMode mode = WorldMode::kAny);

  // Runs to the end; empty if all went well, else what did not.
  std::string Run();
  // What the download says of itself.
  std::vector<std::string> History() const;

 private:
  struct Caller {
    Attach attach;
    bool has_digest = false;
    bool attached = false;
    bool finished = false;
    bool gone = false;
    bool verified = false;
  };
  struct OpenFetch {
    std::string peer_id;
    PieceNumber number = 0;
    bool steal = false;
    absl::Time started;
    uint64_t length = 0;  // bytes that were asked for
    uint64_t bytes = 0;   // that have come
  };
  struct ParentState {
    ParentKind kind = ParentKind::kGood;
    double slowness = 1;
    bool has_everything = true;
    std::set<PieceNumber> has;  // else
  };
  struct Timed {
    absl::Time at;
    uint64_t order = 0;
    std::function<void()> what;
    bool operator<(const Timed& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };

  void After(absl::Duration wait, std::function<void()> what);
  absl::Duration Between(double low, double high) {
    return absl::Seconds(low + (high - low) * random_.Unit());
  }
  bool Chance(double probability) { return random_.Unit() < probability; }
  void Complain(const std::string& what);

  void Feed(const Event& event);
  void CarryAll(const std::vector<Action>& actions);
  void Carry(const Register& a);
  void Carry(const ReportStarted&) { NeedRegistration("ReportStarted"); }
  void Carry(const ReportSourceStarted&) { NeedRegistration("ReportSourceStarted"); }
  void Carry(const ReportGeometry&) { NeedRegistration("ReportGeometry"); }
  void Carry(const ReportPiece& a);
  void Carry(const ReportPieceFailed&) { NeedRegistration("ReportPieceFailed"); }
  void Carry(const ReportReschedule& a);
  void Carry(const ReportEnd& a);
  void Carry(const OpenParent& a);
  void Carry(const CloseParent& a);
  void Carry(const StartFetch& a);
  void Carry(const CancelFetch& a);
  void Carry(const OpenSource& a);
  void Carry(const CloseSource& a);
  void Carry(const SetGeometry& a);
  void Carry(const DiscardContent& a);
  void Carry(const VerifyDigest& a);
  void Carry(const FinishRequest& a);
  void Carry(const Ended& a);

  void NeedRegistration(const std::string& what);
  void AnswerLater(uint64_t registration, bool first);
  void OfferLater(const std::string& peer_id, std::vector<PieceNumber> interested);
  void KeepAlive(const std::string& peer_id, uint64_t stream, int left);
  void EndFetch(FetchId id, const StartFetch& fetch);
  void PassBlocks(FetchId id, const StartFetch& fetch, absl::Duration each);
  void FeedProgress(FetchId id, uint64_t bytes, uint32_t kept);
  void SucceedAfter(absl::Duration wait, FetchId id, const StartFetch& fetch);
  void FailAfter(absl::Duration wait, FetchId id, ErrorReason reason);
  void AddParents();
  void AddCallers();
  void CheckSources(const StartFetch& a);
  void CheckDownlink();
  void CheckGiveUp(const OpenFetch& fetch);
  void CheckGap();
  void SawProgress() { last_progress_ = now_; }
  void Change(bool is_told = true) {
    changed_ = true;
    must_tell_ = must_tell_ || is_told;
  }
  void CountBytes(uint64_t bytes);
  absl::Duration Tau() const;
  uint64_t TimelineLines() const;
  bool Passes(const std::string& peer_id) const { return KindOf(peer_id) >= kFirstThatPasses; }
  void ReadOn(uint64_t reading, uint64_t position, std::optional<uint64_t> end);
  bool IsStored(const Caller& caller) const;
  size_t MissingWanted() const;
  bool Wants(const Caller& caller, PieceNumber number) const;
  // As the download was told, which may be of other content than the origin's.
  const Geometry& Cut() const {
    return geometry_.has_value() && geometry_->content_length.has_value() ? *geometry_ : truth_;
  }
  ParentKind KindOf(const std::string& peer_id) const { return parents_.at(peer_id).kind; }
  std::string CheckEnd() const;

  WorldMode mode_;
  Random random_;
  Geometry truth_;  // of the content
  CoreOptions options_;
  DownloadCore core_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::priority_queue<Timed> queue_;
  uint64_t order_ = 0;
  std::string complaint_;

  std::map<RequestId, Caller> callers_;
  std::map<std::string, ParentState> parents_;
  OriginKind origin_;
  bool origin_changed_ = false;
  bool scheduler_alive_ = true;
  int answers_ = 0;

  // What the driver would hold.
  uint64_t registration_ = 0;
  bool registered_ = false;
  std::map<std::string, uint64_t> open_parents_;  // and the stream they have
  uint64_t streams_ = 0;
  std::map<FetchId, OpenFetch> fetches_;
  bool reading_open_ = false;
  uint64_t reading_ = 0;
  std::map<PieceNumber, bool> stored_;  // and whether the bytes are right
  std::optional<Geometry> geometry_;
  bool ended_ = false;
  uint64_t content_ = 0;  // counts throwing away

  // Of the swarm.
  bool striped_ = false;   // answers name primaries
  bool all_pass_ = false;  // every parent passes blocks on
  bool keeps_ = false;     // the driver keeps the blocks of a piece that is not whole
  bool shaped_ = false;    // so the rules of section "Two stripes" hold, for certain
  std::map<PieceNumber, uint32_t> kept_;
  std::set<std::pair<std::string, PieceNumber>> offered_whole_;
  std::vector<std::pair<absl::Time, uint64_t>> arrived_;  // bytes, of the last few τ
  absl::Duration least_answer_ = absl::InfiniteDuration();
  absl::Time tau_changed_at_ = absl::InfinitePast();
  std::set<std::string> silent_;  // parents that have fallen silent for good
  std::map<PieceNumber, int> give_ups_;
  bool on_time_ = false;  // the actions come from a deadline
  std::set<std::string> closed_in_batch_;
  std::vector<OpenFetch> cancelled_in_batch_;
  bool finished_in_batch_ = false;
  // Of the watch over progress.
  absl::Time last_progress_;
  absl::Time last_change_;
  bool changed_ = false;  // by the actions of the call in hand
  bool must_tell_ = false;
  uint64_t lines_before_ = 0;
};

}  // namespace dragonfly::dfdaemon::core
