#include "tests/sim/upstream_peer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dfdaemon/core/parent_selector.h"

namespace dragonfly::sim {
namespace {

namespace core = dfdaemon::core;
namespace sched = scheduler::core;

constexpr size_t kAtOnce = 8;
constexpr uint32_t kMostAnswers = 5;
constexpr size_t kMostCandidates = 64;
constexpr Nanos kReportPatience = 100 * kMillisecond;
constexpr Nanos kPieceTimeout = 360 * kSecond;
constexpr Nanos kReportTimeout = 360 * kSecond;
constexpr uint64_t kSmallBytes = 4ULL << 20;

}  // namespace

UpstreamPeer::UpstreamPeer(PeerWorld& world, PeerId id, HostId host, uint32_t task,
                           PieceStore store, uint64_t seed)
    : Peer(world, id, host, task, std::move(store)), random_(seed) {
  pieces_.resize(this->store().shape().pieces());
}

void UpstreamPeer::Start(bool as_seed) {
  as_seed_ = as_seed;
  // The origin is asked for the length first.
  world_.AskSource(*this, UINT32_MAX, world_.FirstBytePatience(*this));
}

// Of readings: UINT32_MAX is the question for the length, others are piece numbers.
void UpstreamPeer::OnSourceAsked(uint32_t reading) {
  if (phase_ == Phase::kDone) return;
  if (reading == UINT32_MAX) {
    knows_shape_ = true;
    if (store().complete()) return Finish();
    if (store().shape().size_bytes <= kSmallBytes) return GoToOrigin(false);
    phase_ = Phase::kAnswer;
    stream_ = world_.scheduler().Open(id(), host());
    sched::Register event = world_.MakeRegister(*this);
    event.stream = stream_;
    event.content_length = store().shape().size_bytes;
    event.piece_length = store().shape().piece_length_bytes;
    event.piece_count = store().shape().pieces();
    world_.scheduler().Send(stream_, std::move(event));
    return;
  }
  const TaskShape& shape = store().shape();
  Transfer transfer;
  transfer.child = id();
  transfer.from = world_.origin();
  transfer.to = host();
  transfer.shape = &shape;
  transfer.first_block = reading * shape.blocks_per_piece();
  transfer.end_block = transfer.first_block + shape.BlocksOf(reading);
  world_.transport().Request(transfer, true);
}

void UpstreamPeer::Tell(SimScheduler::PeerNews news) {
  world_.scheduler().Say(stream_, std::move(news));
}

void UpstreamPeer::OnAnswer(sched::StreamId stream, SchedulerAnswer answer) {
  if (stream != stream_ || stream == 0) return;
  if (const auto* ended = std::get_if<core::RegistrationEnded>(&answer)) {
    stream_ = 0;
    if (ended->host_unknown) world_.AnnounceHost(host());
    if (phase_ == Phase::kAnswer) GoToOrigin(false);
    return;
  }
  if (phase_ != Phase::kAnswer) return;  // nothing is read while parents are in use
  if (++answers_ > kMostAnswers) {
    Tell(sched::PeerFailed{});
    return GoToOrigin(false);
  }
  if (const auto* parents = std::get_if<core::AnswerParents>(&answer)) {
    Tell(sched::PeerStarted{});
    TakeParents(*parents);
  } else if (std::holds_alternative<core::AnswerSource>(answer)) {
    Tell(sched::PeerBackToSourceStarted{});
    GoToOrigin(true);
  }
}

void UpstreamPeer::TakeParents(const core::AnswerParents& answer) {
  phase_ = Phase::kParents;
  ready_.clear();
  awaited_.clear();
  std::vector<PieceNumber> missing;
  for (PieceNumber piece = 0; piece < pieces_.size(); ++piece) {
    pieces_[piece] = Piece();
    if (!store().whole(piece)) missing.push_back(piece);
  }
  candidates_.clear();
  for (const core::ParentInfo& parent : answer.parents) {
    if (candidates_.size() == kMostCandidates) break;
    SyncLink link;
    link.parent = SimScheduler::PeerOf(parent.peer_id);
    link.child = id();
    link.from = world_.HostOf(link.parent);
    link.to = host();
    link.task = task();
    link.only_whole = true;
    Candidate candidate;
    candidate.peer = link.parent;
    candidate.open = true;
    candidate.last_heard = world_.now();
    candidate.link =
        world_.feeds().Open(std::move(link), missing, static_cast<uint32_t>(pieces_.size()));
    candidates_.push_back(candidate);
  }
  CheckParentPhase();
  Arm();
}

void UpstreamPeer::CloseParents() {
  for (Candidate& candidate : candidates_) {
    if (candidate.open) world_.feeds().Close(candidate.link);
    candidate.open = false;
  }
}

uint64_t UpstreamPeer::OpenMask() const {
  uint64_t mask = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].open) mask |= uint64_t{1} << i;
  }
  return mask;
}

void UpstreamPeer::OnOffers(SlotRef link, const SyncLink&, std::span<const Offer> offers) {
  if (phase_ != Phase::kParents) return;
  size_t index = 0;
  while (index < candidates_.size() && !(candidates_[index].link == link)) ++index;
  if (index == candidates_.size()) return;
  candidates_[index].last_heard = world_.now();
  const uint64_t open = OpenMask();
  for (const Offer& offer : offers) {
    Piece& piece = pieces_[offer.number];
    if (store().whole(offer.number)) continue;
    piece.holders |= uint64_t{1} << index;
    if (piece.step == Step::kMissing) {
      piece.step = Step::kReported;
      awaited_.push_back(Awaited{world_.now() + kReportPatience, offer.number});
    }
    if (piece.step == Step::kReported && (open & ~piece.holders) == 0) Release(offer.number);
  }
  StartFetches();
  Arm();
}

void UpstreamPeer::OnLinkEnded(SlotRef link, const SyncLink&, FailureKind) {
  for (Candidate& candidate : candidates_) {
    if (candidate.link == link) candidate.open = false;
  }
  if (phase_ != Phase::kParents) return;
  const uint64_t open = OpenMask();
  for (PieceNumber number = 0; number < pieces_.size(); ++number) {
    const Piece& piece = pieces_[number];
    if (piece.step == Step::kReported && (open & ~piece.holders) == 0) Release(number);
  }
  StartFetches();
  CheckParentPhase();
  Arm();
}

void UpstreamPeer::Release(PieceNumber number) {
  pieces_[number].step = Step::kReady;
  ready_.push_back(number);
}

void UpstreamPeer::ReleaseDue() {
  while (!awaited_.empty()) {
    const Awaited first = awaited_.front();
    const bool open = pieces_[first.piece].step == Step::kReported;
    if (open && first.until > world_.now()) return;
    awaited_.pop_front();
    if (open) Release(first.piece);
  }
}

void UpstreamPeer::StartFetches() {
  while (fetches_.size() < kAtOnce && !ready_.empty()) {
    const PieceNumber number = ready_.front();
    ready_.pop_front();
    Piece& piece = pieces_[number];
    if (piece.holders == 0) {  // all have failed: left for the next parents
      piece.step = Step::kMissing;
      continue;
    }
    piece.step = Step::kFetching;
    const size_t chosen = Choose(piece.holders);
    const TaskShape& shape = store().shape();
    Transfer transfer;
    transfer.parent = candidates_[chosen].peer;
    transfer.child = id();
    transfer.from = world_.HostOf(transfer.parent);
    transfer.to = host();
    transfer.shape = &shape;
    transfer.piece = number;
    transfer.base_block = number * shape.blocks_per_piece();
    transfer.end_block = shape.BlocksOf(number);
    transfer.fetch = ++last_fetch_;
    fetches_.push_back(Fetch{number, chosen, world_.transport().Request(transfer), world_.now()});
  }
}

size_t UpstreamPeer::Choose(uint64_t holders) {
  double total = 0;
  const auto weight = [this](size_t index) {
    const HostId host = world_.HostOf(candidates_[index].peer);
    return static_cast<double>(
        core::ParentSelector::NodeWeight(static_cast<uint64_t>(world_.AnnouncedBits(host)),
                                         static_cast<uint64_t>(world_.SendingBits(host))));
  };
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if ((holders >> i & 1) != 0) total += weight(i);
  }
  double die = random_.Unit() * total;
  size_t chosen = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if ((holders >> i & 1) == 0) continue;
    chosen = i;
    die -= weight(i);
    if (die < 0) break;
  }
  return chosen;
}

// The piece of a fetch that came to nothing is tried at the others that have it.
void UpstreamPeer::LeaveFetch(size_t index, bool drop_holder) {
  const Fetch fetch = fetches_[index];
  fetches_.erase(fetches_.begin() + static_cast<ptrdiff_t>(index));
  Piece& piece = pieces_[fetch.piece];
  if (drop_holder) piece.holders &= ~(uint64_t{1} << fetch.candidate);
  Release(fetch.piece);
}

void UpstreamPeer::OnPieceBlock(const Transfer& transfer, uint32_t, bool last) {
  if (!last) return;
  const PieceNumber piece = transfer.piece;
  std::erase_if(fetches_, [piece](const Fetch& fetch) { return fetch.piece == piece; });
  if (phase_ == Phase::kDone) return;
  Tell(sched::PieceFinished{piece, store().shape().LengthOf(piece), absl::ZeroDuration(),
                            SimScheduler::PeerName(transfer.parent)});
  if (store().complete()) return Finish();
  if (phase_ != Phase::kParents) return;
  StartFetches();
  CheckParentPhase();
}

void UpstreamPeer::OnFailed(SlotRef ref, const Transfer& transfer, FailureKind) {
  if (transfer.parent == kNobody && phase_ == Phase::kOrigin) {
    if (reported_) Tell(sched::PeerBackToSourceFailed{});
    phase_ = Phase::kDone;
    world_.Ended(*this, StatusOf(FailureKind::kUnreachable));
    return;
  }
  for (size_t i = 0; i < fetches_.size(); ++i) {
    if (fetches_[i].transfer == ref) {
      LeaveFetch(i, true);
      break;
    }
  }
  if (phase_ != Phase::kParents) return;
  StartFetches();
  CheckParentPhase();
}

// When nothing is on its way and nothing can be reported any more, others are asked for.
void UpstreamPeer::CheckParentPhase() {
  if (phase_ != Phase::kParents || !fetches_.empty() || !ready_.empty() || OpenMask() != 0) return;
  if (stream_ == 0) return GoToOrigin(false);
  phase_ = Phase::kAnswer;
  sched::Reschedule body;
  for (const Candidate& candidate : candidates_)
    body.unusable_parents.push_back(SimScheduler::PeerName(candidate.peer));
  Tell(std::move(body));
}

void UpstreamPeer::GoToOrigin(bool reported) {
  CloseParents();
  phase_ = Phase::kOrigin;
  reported_ = reported;
  next_read_ = 0;
  ReadMore();
}

void UpstreamPeer::ReadMore() {
  while (reads_ < kAtOnce && next_read_ < pieces_.size()) {
    const PieceNumber piece = next_read_++;
    if (store().whole(piece)) continue;
    ++reads_;
    world_.AskSource(*this, piece, 0);
  }
}

void UpstreamPeer::OnOriginBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) {
  const TaskShape& shape = store().shape();
  const PieceNumber piece = transfer.first_block / shape.blocks_per_piece();
  world_.Stored(*this, piece, transfer.arrived, 0, bytes);
  if (transfer.arrived < transfer.end_block - transfer.first_block) return;
  world_.transport().Finish(ref);
  --reads_;
  if (reported_) {
    sched::PieceBackToSourceFinished body;
    body.piece.number = piece;
    body.piece.offset = shape.OffsetOf(piece);
    body.piece.length = shape.LengthOf(piece);
    Tell(std::move(body));
  }
  if (store().complete()) return Finish();
  ReadMore();
}

void UpstreamPeer::Finish() {
  const bool from_origin = phase_ == Phase::kOrigin;
  phase_ = Phase::kDone;
  CloseParents();
  if (from_origin && reported_) {
    Tell(sched::PeerBackToSourceFinished{});
  } else if (!from_origin) {
    Tell(sched::PeerFinished{});
  }
  stream_ = 0;
  world_.Ended(*this, absl::OkStatus());
}

void UpstreamPeer::Arm() {
  Nanos next = INT64_MAX;
  if (!awaited_.empty()) next = awaited_.front().until;
  for (const Fetch& fetch : fetches_) next = std::min(next, fetch.started + kPieceTimeout);
  for (const Candidate& candidate : candidates_) {
    if (candidate.open) next = std::min(next, candidate.last_heard + kReportTimeout);
  }
  if (next != INT64_MAX) world_.WakeAt(*this, next);
}

void UpstreamPeer::OnTimer() {
  if (phase_ != Phase::kParents) return;
  const Nanos now = world_.now();
  ReleaseDue();
  for (size_t i = fetches_.size(); i-- > 0;) {
    if (fetches_[i].started + kPieceTimeout > now) continue;
    world_.transport().Cancel(fetches_[i].transfer);
    LeaveFetch(i, true);
  }
  for (Candidate& candidate : candidates_) {
    if (!candidate.open || candidate.last_heard + kReportTimeout > now) continue;
    world_.feeds().Close(candidate.link);
    candidate.open = false;
  }
  StartFetches();
  CheckParentPhase();
  Arm();
}

void UpstreamPeer::BreakStreams() {
  world_.scheduler().Break(stream_);
  for (const Candidate& candidate : candidates_) {
    if (candidate.open) world_.feeds().Break(candidate.link);
  }
  for (const Fetch& fetch : fetches_) world_.transport().Break(fetch.transfer);
}

std::string UpstreamPeer::Explain() const {
  static constexpr const char* kPhases[] = {"asks for the length", "waits for the scheduler",
                                            "uses parents", "reads the origin", "is done"};
  return absl::StrCat("upstream peer ", id(), " of task ", task(), " on host ", host(), ": ",
                      store().whole_count(), " of ", store().shape().pieces(), " pieces, ",
                      kPhases[static_cast<size_t>(phase_)], ", ", fetches_.size(), " requests, ",
                      ready_.size(), " pieces ready, ", candidates_.size(), " parents\n");
}

}  // namespace dragonfly::sim
