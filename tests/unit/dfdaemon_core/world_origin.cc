// The origin of the world, its storage, and its callers.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/strings.h"
#include "tests/unit/dfdaemon_core/world.h"

namespace dragonfly::dfdaemon::core {

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
  Change();
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
    const bool changes = origin_ == OriginKind::kChanges && !stored_.empty();
    if (changes && !std::exchange(origin_changed_, true)) {
      reading_open_ = false;
      Feed(SourceEnded{Failure(ErrorReason::kOriginChanged), std::nullopt});
      return;
    }
    const bool tells = origin_ != OriginKind::kNoLength;
    SawProgress();
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
    CountBytes(1000);
    Feed(SourceProgress{1000});
    if (!reading_open_ || reading != reading_) return;
    const bool fits = Cut().length_of(number) == truth_.length_of(number);
    if (fits && !stored_.contains(number)) {
      stored_[number] = true;
      SawProgress();
      Feed(SourcePiece{PieceOf(truth_, number)});
    }
    ReadOn(reading, next, end);
  });
}

void World::Carry(const CloseSource&) {
  Change();
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
  kept_.clear();
  give_ups_.clear();
  geometry_.reset();
  Change();
  ++content_;
  for (auto& [id, caller] : callers_) caller.verified = false;
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
  Change();
  finished_in_batch_ = true;
  if (a.status.ok() && (!caller.verified || !IsStored(caller))) Complain("finished, but not whole");
  caller.finished = true;
  // A good origin that may be read, and nothing that anybody could have spoiled: it must succeed.
  const ErrorReason reason = common::status::ReasonOf(a.status);
  const bool excused =
      a.status.ok() || reason == ErrorReason::kShutdown || reason == ErrorReason::kInvalidArgument;
  if (!excused && mode_ == WorldMode::kLive)
    Complain(absl::StrCat("failed although parents had everything: ", a.status.message()));
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
