#include "tests/unit/dfdaemon_core/world.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr int kMaxSteps = 100'000;
constexpr absl::Duration kMaxTime = absl::Hours(6);

Geometry SomeContent(Random& random) {
  const uint64_t pieces = random.Below(14);
  if (pieces == 0) return Geometry{kPiece, 0};
  return Geometry{kPiece, pieces * kPiece - random.Below(2) * random.Below(kPiece)};
}

StoredState SomeStored(Random& random, const Geometry& truth) {
  StoredState stored;
  if (random.Below(4) != 0 || *truth.content_length == 0) return stored;
  stored.geometry = truth;
  for (PieceNumber number = 0; number < *truth.piece_count(); ++number) {
    if (random.Below(2) == 0) stored.finished.push_back(number);
  }
  return stored;
}

}  // namespace

World::World(common::id::TaskKind kind, uint64_t seed, WorldMode mode)
    : mode_(mode),
      random_(seed),
      truth_(SomeContent(random_)),
      core_({kind, std::string(64, 'b')}, options_, {}, seed),
      origin_(static_cast<OriginKind>(random_.Below(static_cast<uint64_t>(OriginKind::kCount)))) {
  if (mode_ != WorldMode::kAny && *truth_.content_length == 0) truth_.content_length = 5 * kPiece;
  if (Chance(0.4)) origin_ = OriginKind::kGood;
  if (mode_ == WorldMode::kHung) origin_ = OriginKind::kSilent;
  StoredState stored = SomeStored(random_, truth_);
  for (PieceNumber number : stored.finished) stored_[number] = true;
  if (stored.geometry.content_length.has_value()) geometry_ = stored.geometry;
  const uint64_t downlinks[] = {0, 32'000'000, 1'000'000'000};
  options_.downlink_bps = downlinks[random_.Below(std::size(downlinks))];
  if (mode_ == WorldMode::kHung && Chance(0.5)) {
    // Only the watch over progress is left.
    options_.answer_timeout = options_.offer_timeout = absl::Minutes(5);
    options_.parent_timeout = options_.source_timeout = absl::Minutes(5);
  }
  core_ = DownloadCore({kind, std::string(64, 'b')}, options_, stored, seed);
  last_progress_ = last_change_ = now_;
  striped_ = Chance(0.6);
  keeps_ = Chance(0.5);
  AddParents();
  AddCallers();
  if (mode_ != WorldMode::kAny) return;
  if (Chance(0.1)) After(Between(0, 60), [this] { Feed(Shutdown{}); });
  if (Chance(0.15)) After(Between(0, 30), [this] { scheduler_alive_ = false; });
}

void World::AddParents() {
  const bool some = mode_ == WorldMode::kLive || Chance(0.9);
  const uint64_t parents = some ? 1 + random_.Below(6) : 0;
  const bool friendly = Chance(0.3);
  all_pass_ = Chance(0.4);
  for (uint64_t i = 0; i < parents; ++i) {
    ParentState parent;
    const auto first = static_cast<uint64_t>(all_pass_ ? kFirstThatPasses : ParentKind::kGood);
    parent.kind = static_cast<ParentKind>(
        first + random_.Below(static_cast<uint64_t>(ParentKind::kCount) - first));
    if (friendly) parent.kind = all_pass_ ? ParentKind::kPasses : ParentKind::kGood;
    if (mode_ == WorldMode::kLive) {
      const ParentKind kinds[] = {ParentKind::kPasses, ParentKind::kBusy, ParentKind::kOnlyBegins,
                                  ParentKind::kGood, ParentKind::kSlow};
      parent.kind = kinds[random_.Below(all_pass_ ? 3 : std::size(kinds))];
      if (i == 0) parent.kind = all_pass_ ? ParentKind::kPasses : ParentKind::kGood;
    }
    if (mode_ == WorldMode::kHung)
      parent.kind = Chance(0.5) ? ParentKind::kHangs : ParentKind::kSaysNothing;
    if (mode_ == WorldMode::kHung) all_pass_ = false;
    parent.slowness = std::exp2(6 * random_.Unit() - 3);
    // The first one has what the others lack.
    parent.has_everything = i == 0 || Chance(0.5);
    for (PieceNumber number = 0; number < *truth_.piece_count(); ++number) {
      if (Chance(0.5)) parent.has.insert(number);
    }
    parents_[absl::StrCat("p", i)] = parent;
  }
  if (mode_ != WorldMode::kLive || parents < 2 || Chance(0.3)) return;
  // Nobody has everything any more.
  ParentState& first = parents_.at("p0");
  first.has_everything = false;
  for (PieceNumber number = 0; number < *truth_.piece_count(); ++number) {
    const bool elsewhere = std::any_of(parents_.begin(), parents_.end(), [&](const auto& entry) {
      const ParentState& other = entry.second;
      const bool gives = other.kind != ParentKind::kOnlyBegins && &other != &first;
      return gives && (other.has_everything || other.has.contains(number));
    });
    if (!elsewhere) first.has.insert(number);
  }
}

void World::AddCallers() {
  const uint64_t callers = 1 + random_.Below(4);
  for (RequestId id = 1; id <= callers; ++id) {
    Caller caller;
    caller.attach.request = id;
    caller.attach.may_use_source = mode_ != WorldMode::kLive && Chance(0.7);
    caller.attach.must_use_source = mode_ != WorldMode::kLive && Chance(0.15);
    caller.attach.in_order = Chance(0.2);
    caller.has_digest = Chance(0.4);
    if (Chance(0.3) && *truth_.content_length > 0) {
      const uint64_t start = random_.Below(*truth_.content_length + *truth_.content_length / 8);
      caller.attach.range = ByteRange{start, 1 + random_.Below(3 * kPiece)};
    }
    callers_[id] = caller;
    After(id == 1 ? absl::ZeroDuration() : Between(0, 20), [this, id] {
      Caller& it = callers_.at(id);
      if (ended_) {  // a driver would make another download
        it.gone = true;
        return;
      }
      it.attached = true;
      Feed(it.attach);
    });
    if (Chance(0.2)) {
      After(Between(0, 60), [this, id] {
        Caller& it = callers_.at(id);
        if (!it.attached || it.finished) return;
        it.gone = true;
        Feed(Detach{id});
      });
    }
  }
}

void World::After(absl::Duration wait, std::function<void()> what) {
  queue_.push(Timed{now_ + wait, order_++, std::move(what)});
}

void World::Complain(const std::string& what) {
  if (complaint_.empty()) complaint_ = what;
}

std::string World::Run() {
  const absl::Time began = now_;
  for (int step = 0; complaint_.empty(); ++step) {
    const absl::Time next_event = queue_.empty() ? absl::InfiniteFuture() : queue_.top().at;
    const absl::Time deadline = core_.next_deadline();
    const bool attached = std::any_of(callers_.begin(), callers_.end(), [](const auto& entry) {
      return entry.second.attached && !entry.second.finished && !entry.second.gone;
    });
    if (attached && deadline == absl::InfiniteFuture()) return "a caller waits without a deadline";
    if (!attached && deadline != absl::InfiniteFuture()) return "a deadline without a caller";
    const absl::Time next = std::min(next_event, deadline);
    if (next == absl::InfiniteFuture()) break;
    if (step > kMaxSteps) return "no end: too many steps";
    if (!attached) SawProgress();
    if (next - began > kMaxTime) return "no end: too long";
    now_ = std::max(now_, next);
    CheckGap();
    if (next_event <= deadline) {
      const std::function<void()> what = queue_.top().what;
      queue_.pop();
      what();
    } else {
      std::vector<Action> actions;
      on_time_ = true;
      lines_before_ = TimelineLines();
      core_.on_time(now_, actions);
      CarryAll(actions);
      on_time_ = false;
    }
  }
  return complaint_.empty() ? CheckEnd() : complaint_;
}

std::vector<std::string> World::History() const {
  std::vector<std::string> history;
  for (const TimelineEntry& entry : core_.explain().entries()) {
    history.push_back(
        absl::StrCat(absl::FormatTime(entry.at), " ", entry.what, " x", entry.repeated));
  }
  return history;
}

std::string World::CheckEnd() const {
  for (const auto& [id, caller] : callers_) {
    if (caller.attached && !caller.finished && !caller.gone) {
      return absl::StrCat("request ", id, " was never finished");
    }
  }
  if (!ended_) return "not ended";
  return "";
}

void World::Feed(const Event& event) {
  std::vector<Action> actions;
  lines_before_ = TimelineLines();
  core_.on(event, now_, actions);
  CarryAll(actions);
}

void World::CarryAll(const std::vector<Action>& actions) {
  closed_in_batch_.clear();
  cancelled_in_batch_.clear();
  finished_in_batch_ = false;
  must_tell_ = false;
  changed_ = false;
  for (const Action& action : actions) {
    if (ended_) Complain("an action after Ended");
    std::visit([this](const auto& a) { Carry(a); }, action);
  }
  for (const OpenFetch& fetch : cancelled_in_batch_) CheckGiveUp(fetch);
  if (!changed_) return;
  const bool late = now_ - std::max(last_progress_, last_change_) > absl::Seconds(5);
  if (on_time_ && late && must_tell_ && TimelineLines() == lines_before_)
    Complain("a change that the timeline does not tell");
  last_change_ = now_;
}

uint64_t World::TimelineLines() const {
  uint64_t lines = core_.explain().dropped();
  for (const TimelineEntry& entry : core_.explain().entries()) lines += entry.repeated;
  return lines;
}

// No download is without progress for longer than that without changing something.
void World::CheckGap() {
  const bool waits = std::any_of(callers_.begin(), callers_.end(), [](const auto& entry) {
    return entry.second.attached && !entry.second.finished && !entry.second.gone;
  });
  if (!waits || MissingWanted() == 0) {
    SawProgress();
    return;
  }
  const absl::Duration gap = now_ - std::max(last_progress_, last_change_);
  if (gap > options_.progress_timeout + absl::Milliseconds(1))
    Complain(absl::StrCat("nothing came and nothing was done for ", absl::FormatDuration(gap)));
}

// ---- schedulers ----

void World::NeedRegistration(const std::string& what) {
  if (!registered_) Complain(absl::StrCat(what, " without a registration"));
}

void World::Carry(const Register& a) {
  if (a.attempt > 1000) Complain("too many registrations");
  if (registered_) Complain("Register while a registration is open");
  registered_ = true;
  Change();
  AnswerLater(++registration_, true);
}

void World::Carry(const ReportPiece& a) {
  NeedRegistration("ReportPiece");
  if (!stored_.contains(a.piece.number)) Complain("a piece is reported that is not there");
}

void World::Carry(const ReportReschedule&) {
  NeedRegistration("ReportReschedule");
  Change();
  AnswerLater(registration_, false);
}

void World::Carry(const ReportEnd&) {
  NeedRegistration("ReportEnd");
  registered_ = false;
}

void World::AnswerLater(uint64_t registration, bool first) {
  const uint64_t what = mode_ == WorldMode::kAny ? random_.Below(20) : 19;
  if (what == 0 || (mode_ == WorldMode::kHung && Chance(0.8))) return;  // silence
  After(Between(0, first ? 3 : 1), [this, registration, what] {
    if (!registered_ || registration != registration_) return;
    if (!scheduler_alive_ || what == 1) {
      registered_ = false;
      Feed(RegistrationEnded{Failure(ErrorReason::kSchedulerUnavailable), false});
    } else if (what == 2) {
      registered_ = false;
      Feed(RegistrationEnded{Failure(ErrorReason::kHostUnknown), true});
    } else if (what <= 5) {
      const auto slices = static_cast<uint32_t>(random_.Below(4));
      Feed(AnswerSource{"go", static_cast<uint32_t>(random_.Below(4)), slices});
      if (registered_ && Chance(0.5)) AnswerLater(registration, false);
    } else if (*truth_.content_length == 0) {
      Feed(AnswerEmpty{});
    } else {
      AnswerParents answer;
      for (const auto& [peer_id, state] : parents_) {
        if (mode_ != WorldMode::kLive && Chance(0.3)) continue;
        ParentInfo parent = ParentOf(peer_id, 0);
        parent.blocks = Passes(peer_id);
        parent.keepalive = state.kind == ParentKind::kFallsSilent;
        if (mode_ == WorldMode::kLive || !Chance(0.1))
          parent.content_length = truth_.content_length;
        if (state.kind == ParentKind::kOtherContent)
          parent.content_length = *truth_.content_length + kPiece;
        answer.parents.push_back(parent);
      }
      answer.striped = striped_;
      const bool follows = all_pass_ && striped_ && answer.parents.size() >= 2;
      // From an answer that is not taken nothing follows.
      if (shaped_ && !follows) shaped_ = false;
      const bool wanted = MissingWanted() > 0;
      Feed(answer);
      // Not if it was not taken; and what was asked before may still be more.
      const bool taken = wanted && geometry_.has_value() && geometry_->content_length.has_value();
      if (follows && taken && fetches_.empty()) shaped_ = true;
      if (registered_ && ++answers_ < 50 && Chance(0.2)) AnswerLater(registration, false);
    }
  });
}

}  // namespace dragonfly::dfdaemon::core
