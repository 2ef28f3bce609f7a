#include "tests/unit/dfdaemon_core/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/strings.h"

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

World::World(common::id::TaskKind kind, uint64_t seed)
    : random_(seed),
      truth_(SomeContent(random_)),
      core_({kind, std::string(64, 'b')}, options_, {}, seed),
      origin_(static_cast<OriginKind>(random_.Below(static_cast<uint64_t>(OriginKind::kCount)))) {
  if (Chance(0.4)) origin_ = OriginKind::kGood;
  StoredState stored = SomeStored(random_, truth_);
  for (PieceNumber number : stored.finished) stored_[number] = true;
  if (stored.geometry.content_length.has_value()) geometry_ = stored.geometry;
  core_ = DownloadCore({kind, std::string(64, 'b')}, options_, stored, seed);

  const uint64_t parents = random_.Below(7);
  const bool friendly = Chance(0.3);
  for (uint64_t i = 0; i < parents; ++i) {
    const auto which =
        static_cast<ParentKind>(random_.Below(static_cast<uint64_t>(ParentKind::kCount)));
    parents_[absl::StrCat("p", i)] = friendly ? ParentKind::kGood : which;
  }
  const uint64_t callers = 1 + random_.Below(4);
  for (RequestId id = 1; id <= callers; ++id) {
    Caller caller;
    caller.attach.request = id;
    caller.attach.may_use_source = Chance(0.7);
    caller.attach.must_use_source = Chance(0.15);
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
  if (Chance(0.1)) After(Between(0, 60), [this] { Feed(Shutdown{}); });
  if (Chance(0.15)) After(Between(0, 30), [this] { scheduler_alive_ = false; });
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
    if (next - began > kMaxTime) return "no end: too long";
    now_ = std::max(now_, next);
    if (next_event <= deadline) {
      const std::function<void()> what = queue_.top().what;
      queue_.pop();
      what();
    } else {
      std::vector<Action> actions;
      core_.on_time(now_, actions);
      CarryAll(actions);
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
  core_.on(event, now_, actions);
  CarryAll(actions);
}

void World::CarryAll(const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    if (ended_) Complain("an action after Ended");
    std::visit([this](const auto& a) { Carry(a); }, action);
  }
}

// ---- schedulers ----

void World::NeedRegistration(const std::string& what) {
  if (!registered_) Complain(absl::StrCat(what, " without a registration"));
}

void World::Carry(const Register& a) {
  if (a.attempt > 1000) Complain("too many registrations");
  if (registered_) Complain("Register while a registration is open");
  registered_ = true;
  AnswerLater(++registration_, true);
}

void World::Carry(const ReportPiece& a) {
  NeedRegistration("ReportPiece");
  if (!stored_.contains(a.piece.number)) Complain("a piece is reported that is not there");
}

void World::Carry(const ReportReschedule&) {
  NeedRegistration("ReportReschedule");
  AnswerLater(registration_, false);
}

void World::Carry(const ReportEnd&) {
  NeedRegistration("ReportEnd");
  registered_ = false;
}

void World::AnswerLater(uint64_t registration, bool first) {
  const uint64_t what = random_.Below(20);
  if (what == 0) return;  // silence
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
      for (const auto& [peer_id, kind] : parents_) {
        if (Chance(0.3)) continue;
        ParentInfo parent = ParentOf(peer_id, 0);
        if (!Chance(0.1)) parent.content_length = truth_.content_length;
        if (kind == ParentKind::kOtherContent)
          parent.content_length = *truth_.content_length + kPiece;
        answer.parents.push_back(parent);
      }
      Feed(answer);
      if (registered_ && ++answers_ < 50 && Chance(0.2)) AnswerLater(registration, false);
    }
  });
}

// ---- parents ----

void World::Carry(const OpenParent& a) {
  const std::string& peer_id = a.parent.peer_id;
  if (open_parents_.contains(peer_id)) Complain("a parent is opened twice");
  if (!parents_.contains(peer_id)) Complain("an unknown parent is opened");
  if (a.interested.empty()) Complain("a parent is opened for nothing");
  open_parents_[peer_id] = ++streams_;
  if (KindOf(peer_id) != ParentKind::kSaysNothing) OfferLater(peer_id, a.interested);
}

void World::OfferLater(const std::string& peer_id, std::vector<PieceNumber> interested) {
  const uint64_t stream = open_parents_.at(peer_id);
  After(Between(0.01, 2), [this, peer_id, stream, interested = std::move(interested)] {
    const auto open = open_parents_.find(peer_id);
    if (open == open_parents_.end() || open->second != stream) return;
    ParentOffers offers{peer_id, {}};
    std::vector<PieceNumber> rest;
    for (PieceNumber number : interested) {
      if (Chance(0.5)) {
        rest.push_back(number);
        continue;
      }
      Geometry cut = truth_;
      if (KindOf(peer_id) == ParentKind::kOtherContent) *cut.content_length += kPiece;
      PieceOffer offer{number, cut.offset_of(number), cut.length_of(number)};
      if (KindOf(peer_id) == ParentKind::kLies && Chance(0.3)) ++offer.length;
      offers.offers.push_back(offer);
    }
    Feed(offers);
    if (open_parents_.contains(peer_id) && open_parents_.at(peer_id) == stream) {
      if (KindOf(peer_id) == ParentKind::kBreaks && Chance(0.5)) {
        Feed(ParentEnded{peer_id, Failure(ErrorReason::kParentUnreachable)});
      } else if (rest.empty() || Chance(0.1)) {
        Feed(ParentEnded{peer_id, absl::OkStatus()});
      } else {
        OfferLater(peer_id, rest);
      }
    }
  });
}

void World::Carry(const CloseParent& a) {
  if (open_parents_.erase(a.peer_id) == 0) Complain("a parent is closed that is not open");
}

bool World::Wants(const Caller& caller, PieceNumber number) const {
  if (!caller.attached || caller.finished || caller.gone) return false;
  if (!caller.attach.range.has_value()) return true;
  const Geometry& cut = Cut();
  const uint64_t begin = cut.offset_of(number);
  const uint64_t end = begin + cut.length_of(number);
  const ByteRange& range = *caller.attach.range;
  return begin < range.start + range.length && range.start < end;
}

size_t World::MissingWanted() const {
  size_t missing = 0;
  for (PieceNumber number = 0; number < Cut().piece_count().value_or(0); ++number) {
    const bool wanted = std::any_of(callers_.begin(), callers_.end(),
                                    [&](const auto& entry) { return Wants(entry.second, number); });
    if (wanted && !stored_.contains(number)) ++missing;
  }
  return missing;
}

void World::Carry(const StartFetch& a) {
  if (!open_parents_.contains(a.peer_id)) Complain("a fetch from a parent that is not open");
  if (stored_.contains(a.number)) Complain("a piece is fetched that is there");
  if (fetches_.contains(a.fetch)) Complain("a fetch id is used twice");
  size_t same = 0;
  size_t of_parent = 0;
  for (const auto& [id, fetch] : fetches_) {
    same += fetch.number == a.number ? 1U : 0U;
    of_parent += fetch.peer_id == a.peer_id ? 1U : 0U;
  }
  if (same > 1 || (same == 1 && MissingWanted() > 3))
    Complain("a piece is fetched twice before the endgame");
  if (of_parent >= options_.concurrent_per_parent) Complain("too many fetches from a parent");
  // In the endgame each of the last three may have a double.
  if (fetches_.size() >= options_.concurrent_piece_count + 3) Complain("too many fetches");
  if (a.offset != a.number * kPiece && KindOf(a.peer_id) != ParentKind::kOtherContent) {
    Complain("a piece at the wrong place");
  }
  fetches_[a.fetch] = OpenFetch{a.peer_id, a.number};
  EndFetch(a.fetch, a);
}

void World::EndFetch(FetchId id, const StartFetch& fetch) {
  const uint64_t content = content_;
  const auto fail = [this, id](ErrorReason reason, absl::Duration wait) {
    After(wait, [this, id, reason] {
      if (fetches_.erase(id) > 0 || Chance(0.1)) Feed(FetchFailed{id, Failure(reason)});
    });
  };
  const auto succeed = [this, id, fetch, content](absl::Duration wait) {
    After(wait, [this, id, fetch, content] {
      const bool open = fetches_.erase(id) > 0;
      if (content != content_ || (!open && !Chance(0.2))) return;
      PieceInfo piece;
      piece.number = fetch.number;
      piece.parent_id = fetch.peer_id;
      piece.offset = fetch.offset;
      piece.length = fetch.length;
      stored_.try_emplace(fetch.number, KindOf(fetch.peer_id) != ParentKind::kPoisons);
      Feed(FetchDone{id, piece});
    });
  };
  switch (KindOf(fetch.peer_id)) {
    case ParentKind::kSlow:
      for (int i = 1; i < 5; ++i) {
        After(absl::Seconds(4 * i), [this, id] { Feed(FetchProgress{id, 1000}); });
      }
      succeed(Between(16, 22));
      break;
    case ParentKind::kRefuses:
      Chance(0.7) ? fail(ErrorReason::kParentRefused, Between(0, 1)) : succeed(Between(0.1, 2));
      break;
    case ParentKind::kCorrupt:
      Chance(0.3) ? fail(ErrorReason::kPieceCorrupt, Between(0, 2)) : succeed(Between(0.1, 2));
      break;
    case ParentKind::kUnreachable:
      Chance(0.8) ? fail(ErrorReason::kParentUnreachable, Between(0, 3)) : succeed(Between(0.1, 2));
      break;
    case ParentKind::kHangs:
      if (Chance(0.3)) succeed(Between(0.1, 2));
      break;
    case ParentKind::kTrickles:
      for (int i = 1; i < 200; ++i) {
        After(absl::Seconds(5 * i), [this, id] { Feed(FetchProgress{id, 1}); });
      }
      break;
    default:
      Chance(0.03) ? fail(ErrorReason::kOverloaded, Between(0, 1)) : succeed(Between(0.1, 2));
      break;
  }
}

void World::Carry(const CancelFetch& a) {
  if (fetches_.erase(a.fetch) == 0) Complain("a fetch is cancelled that is not running");
}

// ---- the origin ----

void World::Carry(const OpenSource& a) {
  if (reading_open_) Complain("the origin is opened twice");
  const bool allowed = std::any_of(callers_.begin(), callers_.end(), [](const auto& entry) {
    const Caller& caller = entry.second;
    return caller.attached && !caller.finished && !caller.gone &&
           (caller.attach.may_use_source || caller.attach.must_use_source);
  });
  if (!allowed) Complain("the origin is read although nobody allows it");
  reading_open_ = true;
  const uint64_t reading = ++reading_;
  if (origin_ == OriginKind::kSilent) return;
  After(Between(0, 2), [this, reading, a] {
    if (!reading_open_ || reading != reading_) return;
    const bool busy = origin_ == OriginKind::kBusy && Chance(0.5);
    if (origin_ == OriginKind::kGone || busy) {
      reading_open_ = false;
      Feed(SourceEnded{OriginSays(busy ? 503 : 404), std::nullopt});
      return;
    }
    if (origin_ == OriginKind::kChanges && !stored_.empty() && !std::exchange(changed_, true)) {
      reading_open_ = false;
      Feed(SourceEnded{Failure(ErrorReason::kOriginChanged), std::nullopt});
      return;
    }
    const bool tells = origin_ != OriginKind::kNoLength;
    Feed(SourceHead{tells ? truth_.content_length : std::nullopt,
                    origin_ != OriginKind::kNoRanges && origin_ != OriginKind::kNoLength});
    const std::optional<uint64_t> end =
        a.length.has_value() ? std::optional<uint64_t>(a.offset + *a.length) : std::nullopt;
    ReadOn(reading, a.offset, end);
  });
}

void World::ReadOn(uint64_t reading, uint64_t position, std::optional<uint64_t> end) {
  if (!reading_open_ || reading != reading_) return;
  After(Between(0.05, 1.5), [this, reading, position, end] {
    if (!reading_open_ || reading != reading_) return;
    const uint64_t until = std::min(end.value_or(*truth_.content_length), *truth_.content_length);
    const bool too_early = origin_ == OriginKind::kShort && Chance(0.2);
    if (position >= until || too_early) {
      reading_open_ = false;
      SourceEnded over;
      if (until == *truth_.content_length && !too_early)
        over.content_length = truth_.content_length;
      if (too_early) over.status = Failure(ErrorReason::kOriginProtocol);
      Feed(over);
      return;
    }
    if (origin_ == OriginKind::kBreaks && Chance(0.3)) {
      reading_open_ = false;
      Feed(SourceEnded{Failure(ErrorReason::kOriginUnreachable), std::nullopt});
      return;
    }
    const auto number = static_cast<PieceNumber>(position / kPiece);
    const uint64_t next = position + truth_.length_of(number);
    Feed(SourceProgress{1000});
    if (!reading_open_ || reading != reading_) return;
    const bool fits = Cut().length_of(number) == truth_.length_of(number);
    if (fits && !stored_.contains(number)) {
      stored_[number] = true;
      Feed(SourcePiece{PieceOf(truth_, number)});
    }
    ReadOn(reading, next, end);
  });
}

void World::Carry(const CloseSource&) {
  if (!std::exchange(reading_open_, false)) Complain("the origin is closed that is not open");
}

// ---- storage and callers ----

void World::Carry(const SetGeometry& a) {
  if (geometry_.has_value() && geometry_->content_length.has_value())
    Complain("the geometry is set twice");
  geometry_ = a.geometry;
}

void World::Carry(const DiscardContent&) {
  if (!fetches_.empty() || reading_open_)
    Complain("content is thrown away while it is being fetched");
  if (content_ > 3) Complain("content is thrown away again and again");
  stored_.clear();
  geometry_.reset();
  ++content_;
  for (auto& [id, caller] : callers_) caller.verified = false;
}

bool World::IsStored(const Caller& caller) const {
  if (!geometry_.has_value() || !geometry_->content_length.has_value()) return false;
  for (PieceNumber number = 0; number < *geometry_->piece_count(); ++number) {
    Caller as_if_active = caller;
    as_if_active.finished = false;
    if (Wants(as_if_active, number) && !stored_.contains(number)) return false;
  }
  return true;
}

void World::Carry(const VerifyDigest& a) {
  Caller& caller = callers_.at(a.request);
  if (caller.finished || caller.gone) Complain("VerifyDigest for nobody");
  if (!IsStored(caller)) Complain("VerifyDigest before everything is there");
  const uint64_t content = content_;
  After(Between(0, 1), [this, content, id = a.request] {
    Caller& it = callers_.at(id);
    if (it.finished || it.gone || content != content_) return;
    // The digest of other content than the true one is another, too.
    const bool right =
        Cut() == truth_ &&
        std::all_of(stored_.begin(), stored_.end(), [](const auto& entry) { return entry.second; });
    const bool checks = it.has_digest && !it.attach.range.has_value();
    it.verified = right || !checks;
    Feed(DigestChecked{id, it.verified ? absl::OkStatus() : Failure(ErrorReason::kDigestMismatch)});
  });
}

void World::Carry(const FinishRequest& a) {
  const auto found = callers_.find(a.request);
  if (found == callers_.end() || !found->second.attached || found->second.gone) {
    Complain("FinishRequest for nobody");
    return;
  }
  Caller& caller = found->second;
  if (caller.finished) Complain("a request is finished twice");
  if (a.status.ok() && (!caller.verified || !IsStored(caller))) Complain("finished, but not whole");
  caller.finished = true;
  // A good origin that may be read, and nothing that anybody could have spoiled: it must succeed.
  const ErrorReason reason = common::status::ReasonOf(a.status);
  const bool excused =
      a.status.ok() || reason == ErrorReason::kShutdown || reason == ErrorReason::kInvalidArgument;
  if (!excused && origin_ == OriginKind::kGood && caller.attach.may_use_source) {
    Complain(absl::StrCat("failed although the origin is good: ", a.status.message()));
  }
}

void World::Carry(const Ended&) {
  ended_ = true;
  if (!fetches_.empty() || !open_parents_.empty() || reading_open_ || registered_) {
    Complain("ended, but something is open");
  }
  for (const auto& [id, caller] : callers_) {
    if (caller.attached && !caller.finished && !caller.gone)
      Complain("ended with a caller attached");
  }
}

}  // namespace dragonfly::dfdaemon::core
