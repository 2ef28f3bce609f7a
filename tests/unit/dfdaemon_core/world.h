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
  kCount,
};

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

class World {
 public:
  World(common::id::TaskKind kind, uint64_t seed);

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
  void EndFetch(FetchId id, const StartFetch& fetch);
  void ReadOn(uint64_t reading, uint64_t position, std::optional<uint64_t> end);
  bool IsStored(const Caller& caller) const;
  size_t MissingWanted() const;
  bool Wants(const Caller& caller, PieceNumber number) const;
  // As the download was told, which may be of other content than the origin's.
  const Geometry& Cut() const {
    return geometry_.has_value() && geometry_->content_length.has_value() ? *geometry_ : truth_;
  }
  ParentKind KindOf(const std::string& peer_id) const { return parents_.at(peer_id); }
  std::string CheckEnd() const;

  Random random_;
  Geometry truth_;  // of the content
  CoreOptions options_;
  DownloadCore core_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::priority_queue<Timed> queue_;
  uint64_t order_ = 0;
  std::string complaint_;

  std::map<RequestId, Caller> callers_;
  std::map<std::string, ParentKind> parents_;
  OriginKind origin_;
  bool changed_ = false;
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
};

}  // namespace dragonfly::dfdaemon::core
