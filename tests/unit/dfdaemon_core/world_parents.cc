// The parents of the world, what they send, and what is held about the fetches.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/unit/dfdaemon_core/world.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr uint32_t kBlocksAtOnce = 4;
constexpr double kFullWindow = 1.5;  // τ

}  // namespace

void World::Carry(const OpenParent& a) {
  const std::string& peer_id = a.parent.peer_id;
  if (open_parents_.contains(peer_id)) Complain("a parent is opened twice");
  if (!parents_.contains(peer_id)) Complain("an unknown parent is opened");
  if (a.interested.empty()) Complain("a parent is opened for nothing");
  open_parents_[peer_id] = ++streams_;
  Change();
  const ParentKind kind = KindOf(peer_id);
  if (Chance(0.3) && !silent_.contains(peer_id)) {
    After(absl::ZeroDuration(), [this, peer_id, kind] {
      Feed(ParentSpeaks{peer_id, Passes(peer_id), kind == ParentKind::kFallsSilent});
    });
  }
  if (kind != ParentKind::kSaysNothing) OfferLater(peer_id, a.interested);
  if (kind == ParentKind::kFallsSilent)
    KeepAlive(peer_id, streams_, static_cast<int>(random_.Below(30)));
}

void World::Carry(const CloseParent& a) {
  if (open_parents_.erase(a.peer_id) == 0) Complain("a parent is closed that is not open");
  std::erase_if(offered_whole_, [&](const auto& offer) { return offer.first == a.peer_id; });
  closed_in_batch_.insert(a.peer_id);
  Change();
}

void World::KeepAlive(const std::string& peer_id, uint64_t stream, int left) {
  After(absl::Milliseconds(300), [this, peer_id, stream, left] {
    const auto open = open_parents_.find(peer_id);
    if (open == open_parents_.end() || open->second != stream) return;
    if (left == 0) {
      silent_.insert(peer_id);
      return;
    }
    Feed(ParentOffers{peer_id, {}});
    KeepAlive(peer_id, stream, left - 1);
  });
}

// What it has, by and by; parents that pass blocks on say first that they have begun a piece.
void World::OfferLater(const std::string& peer_id, std::vector<PieceNumber> interested) {
  const uint64_t stream = open_parents_.at(peer_id);
  After(Between(0.01, 2), [this, peer_id, stream, interested = std::move(interested)] {
    const auto open = open_parents_.find(peer_id);
    if (open == open_parents_.end() || open->second != stream || silent_.contains(peer_id)) return;
    const ParentState& state = parents_.at(peer_id);
    ParentOffers offers{peer_id, {}};
    std::vector<PieceNumber> rest;
    for (PieceNumber number : interested) {
      if (mode_ == WorldMode::kLive && !state.has_everything && !state.has.contains(number))
        continue;
      if (Chance(0.5)) {
        rest.push_back(number);
        continue;
      }
      Geometry cut = truth_;
      if (state.kind == ParentKind::kOtherContent) *cut.content_length += kPiece;
      PieceOffer offer{number, cut.offset_of(number), cut.length_of(number)};
      if (state.kind == ParentKind::kLies && Chance(0.3)) ++offer.length;
      offer.whole = !Passes(peer_id) || (state.kind != ParentKind::kOnlyBegins && Chance(0.5));
      if (offer.whole) offered_whole_.emplace(peer_id, number);
      if (!offer.whole) rest.push_back(number);
      offers.offers.push_back(offer);
    }
    Feed(offers);
    if (!open_parents_.contains(peer_id) || open_parents_.at(peer_id) != stream) return;
    if (state.kind == ParentKind::kBreaks && Chance(0.5)) {
      Feed(ParentEnded{peer_id, Failure(ErrorReason::kParentUnreachable)});
    } else if (rest.empty() || (mode_ == WorldMode::kAny && Chance(0.1))) {
      Feed(ParentEnded{peer_id, absl::OkStatus()});
    } else if (!(state.kind == ParentKind::kOnlyBegins && Chance(0.1))) {
      OfferLater(peer_id, rest);
    }
  });
}

// ---- fetches ----

void World::Carry(const StartFetch& a) {
  if (!open_parents_.contains(a.peer_id)) Complain("a fetch from a parent that is not open");
  if (stored_.contains(a.number)) Complain("a piece is fetched that is there");
  if (fetches_.contains(a.fetch)) Complain("a fetch id is used twice");
  if (a.offset != a.number * kPiece && KindOf(a.peer_id) != ParentKind::kOtherContent) {
    Complain("a piece at the wrong place");
  }
  CheckSources(a);
  OpenFetch fetch;
  fetch.peer_id = a.peer_id;
  fetch.number = a.number;
  fetch.steal = a.steal;
  fetch.started = now_;
  fetch.length = a.length - a.first_block * kBlockBytes;
  fetches_[a.fetch] = fetch;
  EndFetch(a.fetch, a);
}

// How many, from whom, and from where.
void World::CheckSources(const StartFetch& a) {
  size_t same = 0;
  size_t of_parent = 0;
  for (const auto& [id, fetch] : fetches_) {
    same += fetch.number == a.number ? 1U : 0U;
    of_parent += fetch.peer_id == a.peer_id ? 1U : 0U;
  }
  const bool whole = offered_whole_.contains({a.peer_id, a.number});
  if (same > 1) Complain("a piece is fetched from three parents");
  if (same == 1 && !((striped_ || Passes(a.peer_id)) && whole && a.steal) && MissingWanted() > 3)
    Complain("a piece is fetched twice before the endgame");
  if (same == 1 && shaped_ && (!whole || !a.steal)) Complain("not a take-over");
  if (of_parent >= (shaped_ ? options_.swarm.per_parent : options_.concurrent_per_parent))
    Complain("too many fetches from a parent");
  // In the endgame each of the last three may have a double.
  if (fetches_.size() >= options_.concurrent_piece_count + (shaped_ ? 0 : 3))
    Complain("too many fetches");
  const auto kept = kept_.find(a.number);
  const uint32_t blocks = kept == kept_.end() ? 0 : kept->second;
  if (a.first_block > blocks) Complain("a fetch begins behind what is here");
  if (a.first_block > 0 && !Passes(a.peer_id)) Complain("a fetch begins inside of a piece");
  if (blocks > 0 && !whole) Complain("a piece begun is asked of a parent that lacks a part of it");
  if (a.steal && !striped_ && !Passes(a.peer_id)) Complain("a steal where nobody knows of such");
  if (a.steal) CheckDownlink();
}

// Nothing is stolen while the own downlink is full; with some air, for it is another's measure.
void World::CheckDownlink() {
  if (options_.downlink_bps == 0) return;
  if (now_ - tau_changed_at_ < 20 * Tau()) return;
  const double window = kFullWindow * absl::ToDoubleSeconds(Tau());
  double rate = 0;
  for (const auto& [at, bytes] : arrived_) {
    rate +=
        static_cast<double>(bytes) / window * std::exp(-absl::ToDoubleSeconds(now_ - at) / window);
  }
  if (rate > static_cast<double>(options_.downlink_bps) / 8)
    Complain("a steal while the downlink is full");
}

absl::Duration World::Tau() const {
  const absl::Duration tau =
      absl::Seconds(static_cast<double>(std::min(Cut().piece_length, *Cut().content_length)) * 8 /
                    static_cast<double>(options_.downlink_bps));
  return std::max(tau, least_answer_ == absl::InfiniteDuration() ? tau : least_answer_);
}

void World::CountBytes(uint64_t bytes) {
  SawProgress();
  if (options_.downlink_bps == 0) return;
  arrived_.emplace_back(now_, bytes);
  const absl::Time old = now_ - 20 * Tau();
  std::erase_if(arrived_, [&](const auto& entry) { return entry.first < old; });
}

void World::FeedProgress(FetchId id, uint64_t bytes, uint32_t kept) {
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) return;
  OpenFetch& fetch = found->second;
  if (fetch.bytes == 0 && now_ - fetch.started < least_answer_) {
    least_answer_ = now_ - fetch.started;
    tau_changed_at_ = now_;
  }
  fetch.bytes += bytes;
  CountBytes(bytes);
  if (kept > 0) kept_[fetch.number] = std::max(kept_[fetch.number], kept);
  Feed(FetchProgress{id, bytes, kept});
}

void World::SucceedAfter(absl::Duration wait, FetchId id, const StartFetch& fetch) {
  After(wait, [this, id, fetch, content = content_] {
    const auto open = fetches_.find(id);
    const bool was_open = open != fetches_.end();
    if (was_open && open->second.bytes < open->second.length)
      CountBytes(open->second.length - open->second.bytes);
    if (was_open) fetches_.erase(open);
    if (content != content_ || (!was_open && !Chance(0.2))) return;
    PieceInfo piece;
    piece.number = fetch.number;
    piece.parent_id = fetch.peer_id;
    piece.offset = fetch.offset;
    piece.length = fetch.length;
    stored_.try_emplace(fetch.number, KindOf(fetch.peer_id) != ParentKind::kPoisons);
    SawProgress();
    Feed(FetchDone{id, piece});
  });
}

void World::FailAfter(absl::Duration wait, FetchId id, ErrorReason reason) {
  After(wait, [this, id, reason] {
    if (fetches_.erase(id) > 0 || Chance(0.1)) Feed(FetchFailed{id, Failure(reason), std::nullopt});
  });
}

// Some blocks after some others; of a parent that only begins pieces the first ones.
void World::PassBlocks(FetchId id, const StartFetch& fetch, absl::Duration each) {
  const auto count = static_cast<uint32_t>((fetch.length + kBlockBytes - 1) / kBlockBytes);
  absl::Duration wait;
  for (uint32_t block = fetch.first_block; block < count;) {
    const uint32_t next = std::min(block + kBlocksAtOnce, count);
    wait += each * (0.5 + random_.Unit());
    if (next == count) break;
    const uint64_t bytes = (next - block) * kBlockBytes;
    After(wait, [this, id, bytes, next, peer_id = fetch.peer_id, content = content_] {
      if (silent_.contains(peer_id) || content != content_) return;
      FeedProgress(id, bytes, keeps_ ? next : 0);
    });
    if (KindOf(fetch.peer_id) == ParentKind::kOnlyBegins) return;
    block = next;
  }
  if (silent_.contains(fetch.peer_id)) return;
  SucceedAfter(wait, id, fetch);
}

void World::EndFetch(FetchId id, const StartFetch& fetch) {
  const absl::Duration soon = Between(0.1, 2);
  const absl::Duration each = Between(0.02, 0.4) * parents_.at(fetch.peer_id).slowness;
  switch (KindOf(fetch.peer_id)) {
    case ParentKind::kSlow:
      for (int i = 1; i < 5; ++i) {
        After(absl::Seconds(4 * i), [this, id] { FeedProgress(id, 1000, 0); });
      }
      SucceedAfter(Between(16, 22), id, fetch);
      break;
    case ParentKind::kRefuses:
      Chance(0.7) ? FailAfter(soon / 2, id, ErrorReason::kParentRefused)
                  : SucceedAfter(soon, id, fetch);
      break;
    case ParentKind::kCorrupt:
      Chance(0.3) ? FailAfter(soon, id, ErrorReason::kPieceCorrupt) : SucceedAfter(soon, id, fetch);
      break;
    case ParentKind::kUnreachable:
      Chance(0.8) ? FailAfter(soon * 1.5, id, ErrorReason::kParentUnreachable)
                  : SucceedAfter(soon, id, fetch);
      break;
    case ParentKind::kHangs:
      if (mode_ != WorldMode::kHung && Chance(0.3)) SucceedAfter(soon, id, fetch);
      break;
    case ParentKind::kTrickles:
      for (int i = 1; i < 200; ++i) {
        After(absl::Seconds(5 * i), [this, id] { FeedProgress(id, 1, 0); });
      }
      break;
    case ParentKind::kBusy:
      if (fetch.steal && Chance(0.7)) {
        FailAfter(soon / 40, id, ErrorReason::kOverloaded);
        break;
      }
      [[fallthrough]];
    case ParentKind::kPasses:
    case ParentKind::kOnlyBegins:
    case ParentKind::kFallsSilent:
      PassBlocks(id, fetch, each);
      break;
    default:
      Chance(0.03) ? FailAfter(soon / 2, id, ErrorReason::kOverloaded)
                   : SucceedAfter(soon, id, fetch);
      break;
  }
}

void World::Carry(const CancelFetch& a) {
  const auto found = fetches_.find(a.fetch);
  if (found == fetches_.end()) {
    Complain("a fetch is cancelled that is not running");
    return;
  }
  cancelled_in_batch_.push_back(found->second);
  // A steal that waits its turn somewhere may be tried elsewhere without a word.
  Change(now_ - found->second.started >= absl::Seconds(1) && found->second.bytes == 0);
  fetches_.erase(found);
}

// A steal that was given up had its time, twice as long each time. Others are cancelled because
// their parent was closed or charged, or because nobody wants the piece any more.
void World::CheckGiveUp(const OpenFetch& fetch) {
  if (!on_time_ || !shaped_ || options_.downlink_bps == 0) return;
  if (!fetch.steal || fetch.bytes > 0 || finished_in_batch_) return;
  if (closed_in_batch_.contains(fetch.peer_id)) return;
  const bool charged = std::any_of(
      cancelled_in_batch_.begin(), cancelled_in_batch_.end(), [&](const OpenFetch& other) {
        return other.peer_id == fetch.peer_id && now_ - other.started >= options_.parent_timeout;
      });
  if (charged || stored_.contains(fetch.number)) return;
  const int times = give_ups_[fetch.number]++;
  const absl::Duration least = options_.swarm.steal_give_up * Tau() * (1 << std::min(times, 6));
  if (now_ - fetch.started < least - absl::Microseconds(1)) {
    Complain(absl::StrCat("given up after ", absl::FormatDuration(now_ - fetch.started), ", not ",
                          absl::FormatDuration(least)));
  }
}

}  // namespace dragonfly::dfdaemon::core
