#include "tests/sim/our_peer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/task_key.h"

namespace dragonfly::sim {
namespace {

namespace core = dfdaemon::core;
namespace sched = scheduler::core;

// What a daemon of ours offers (common/rpc/extensions.h).
uint32_t OfferedExtensions(bool stripes) {
  return sched::kLazyStat | sched::kSlice | (stripes ? sched::kStripes : 0U);
}

// Entries of a timeline that are told of a peer that waits.
constexpr size_t kToldEntries = 12;

}  // namespace

OurPeer::OurPeer(PeerWorld& world, PeerId id, HostId host, uint32_t task, PieceStore store,
                 uint64_t seed)
    : Peer(world, id, host, task, std::move(store)), seed_(seed) {
  knows_shape_ = this->store().whole_count() > 0;
}

OurPeer::~OurPeer() = default;

void OurPeer::Start(bool as_seed) {
  core::StoredState stored;
  if (knows_shape_) {
    stored.geometry = {store().shape().piece_length_bytes, store().shape().size_bytes};
    for (PieceNumber piece = 0; piece < store().shape().pieces(); ++piece) {
      if (store().whole(piece)) stored.finished.push_back(piece);
    }
  } else {
    stored.geometry.piece_length = store().shape().piece_length_bytes;
  }
  core::CoreOptions options;
  options.downlink_bps = static_cast<uint64_t>(world_.DownlinkBits(host()));
  core_.emplace(
      common::id::TaskKey{common::id::TaskKind::kStandard, SimScheduler::TaskName(task())}, options,
      std::move(stored), seed_);
  core::Attach attach;
  attach.request = 1;
  attach.must_use_source = as_seed;
  Feed(attach);
}

// Events that come up while actions are carried out wait until all of them are.
void OurPeer::Feed(const core::Event& event) {
  if (carrying_) {
    due_.push_back(event);
    return;
  }
  if (!core_.has_value()) return;
  core_->on(event, world_.LocalTime(host()), actions_);
  CarryAll();
}

void OurPeer::CarryAll() {
  carrying_ = true;
  for (size_t next = 0;; ++next) {
    for (const core::Action& action : actions_) {
      std::visit([this](const auto& a) { Carry(a); }, action);
    }
    actions_.clear();
    if (next == due_.size() || core_ended_) break;
    const core::Event event = std::move(due_[next]);
    core_->on(event, world_.LocalTime(host()), actions_);
  }
  due_.clear();
  carrying_ = false;
  if (core_ended_) {
    core_.reset();
    core_ended_ = false;
    return;
  }
  Arm();
}

void OurPeer::Arm() {
  const absl::Time deadline = core_->next_deadline();
  if (deadline == absl::InfiniteFuture()) return;
  world_.WakeAt(*this, NanosUntil(deadline, world_.now(), world_.LocalTime(host())));
}

void OurPeer::OnTimer() {
  if (!core_.has_value()) return;
  const absl::Time local = world_.LocalTime(host());
  if (core_->next_deadline() > local) return Arm();
  core_->on_time(local, actions_);
  CarryAll();
}

std::string OurPeer::Explain() const {
  std::string out = absl::StrCat("peer ", id(), " of task ", task(), " on host ", host(), ": ",
                                 store().whole_count(), " of ", store().shape().pieces(),
                                 " pieces, ", fetches_.size(), " requests, ", links_.size(),
                                 " parents", reading_.open ? ", reads the origin" : "");
  if (!core_.has_value()) return out + ", no download\n";
  const absl::Time deadline = core_->next_deadline();
  absl::StrAppend(&out, ", next deadline in ",
                  absl::FormatDuration(deadline - world_.LocalTime(host())), "\n");
  const auto& entries = core_->explain().entries();
  const size_t first = entries.size() > kToldEntries ? entries.size() - kToldEntries : 0;
  for (size_t i = first; i < entries.size(); ++i) {
    absl::StrAppend(
        &out, "    ", absl::FormatDuration(entries[i].at - TimeAt(0)), " ", entries[i].what,
        entries[i].repeated > 1 ? absl::StrCat(" (", entries[i].repeated, " times)") : "", "\n");
  }
  return out;
}

// ---- the scheduler ----

void OurPeer::Tell(SimScheduler::PeerNews news) {
  world_.scheduler().Say(stream_, std::move(news));
}

void OurPeer::SendRegister(const core::Geometry& geometry, bool need_source, bool metadata_only) {
  sched::Register event = world_.MakeRegister(*this);
  event.stream = stream_;
  event.extensions = OfferedExtensions(world_.stripes());
  event.need_back_to_source = need_source;
  event.metadata_only = metadata_only;
  if (geometry.content_length.has_value()) {
    event.content_length = geometry.content_length;
    event.piece_length = geometry.piece_length;
    event.piece_count = geometry.piece_count();
  }
  world_.scheduler().Send(stream_, std::move(event));
}

void OurPeer::AnnounceHolding() {
  if (stream_ != 0) return;
  holding_ = true;
  stream_ = world_.scheduler().Open(id(), host());
  SendRegister({store().shape().piece_length_bytes, store().shape().size_bytes}, false, true);
}

void OurPeer::Carry(const core::Register& a) {
  world_.scheduler().Close(stream_);
  holding_ = false;
  stream_ = world_.scheduler().Open(id(), host());
  SendRegister(a.geometry, a.need_source, false);
}
void OurPeer::Carry(const core::ReportStarted&) { Tell(sched::PeerStarted{}); }
void OurPeer::Carry(const core::ReportSourceStarted&) { Tell(sched::PeerBackToSourceStarted{}); }
void OurPeer::Carry(const core::ReportGeometry& a) {
  if (stream_ != 0) SendRegister(a.geometry, false, false);
}
void OurPeer::Carry(const core::ReportPiece& a) {
  if (a.piece.parent_id.empty()) {
    sched::PieceBackToSourceFinished body;
    body.piece.number = a.piece.number;
    body.piece.offset = a.piece.offset;
    body.piece.length = a.piece.length;
    body.piece.cost = a.piece.cost;
    Tell(std::move(body));
  } else {
    Tell(sched::PieceFinished{a.piece.number, a.piece.length, a.piece.cost, a.piece.parent_id});
  }
}
void OurPeer::Carry(const core::ReportPieceFailed& a) {
  Tell(sched::PieceFailed{a.parent_id, true});
}
void OurPeer::Carry(const core::ReportReschedule& a) { Tell(sched::Reschedule{a.bad_parents}); }
void OurPeer::Carry(const core::ReportEnd& a) {
  if (a.status.ok()) {
    if (a.from_source) {
      Tell(sched::PeerBackToSourceFinished{});
    } else {
      Tell(sched::PeerFinished{});
    }
  } else if (a.from_source) {
    Tell(sched::PeerBackToSourceFailed{});
  } else {
    Tell(sched::PeerFailed{});
  }
  // The scheduler ends the stream, which concerns nobody here any more.
  stream_ = 0;
}

void OurPeer::OnAnswer(sched::StreamId stream, SchedulerAnswer answer) {
  if (stream != stream_ || stream == 0) return;
  if (holding_) {
    if (std::holds_alternative<AnswerMetadataOnly>(answer)) Tell(sched::PeerFinished{});
    if (std::holds_alternative<core::RegistrationEnded>(answer)) {
      stream_ = 0;
      holding_ = false;
    }
    return;
  }
  if (auto* parents = std::get_if<core::AnswerParents>(&answer)) {
    Feed(std::move(*parents));
  } else if (auto* source = std::get_if<core::AnswerSource>(&answer)) {
    Feed(std::move(*source));
  } else if (std::holds_alternative<core::AnswerEmpty>(answer)) {
    Feed(core::AnswerEmpty{});
  } else if (auto* ended = std::get_if<core::RegistrationEnded>(&answer)) {
    stream_ = 0;
    if (ended->host_unknown) world_.AnnounceHost(host());
    Feed(std::move(*ended));
  }
}

void OurPeer::BreakStreams() {
  world_.scheduler().Break(stream_);
  for (const Link& link : links_) world_.feeds().Break(link.ref);
  for (const Fetch& fetch : fetches_) world_.transport().Break(fetch.transfer);
}

// ---- parents ----

void OurPeer::Carry(const core::OpenParent& a) {
  const PeerId parent = SimScheduler::PeerOf(a.parent.peer_id);
  SyncLink link;
  link.parent = parent;
  link.child = id();
  link.from = world_.HostOf(parent);
  link.to = host();
  link.task = task();
  link.keepalive = world_.IsOurs(parent);
  link.only_whole = !world_.passes_on() || !world_.IsOurs(parent);
  const SlotRef ref = world_.feeds().Open(std::move(link), a.interested, store().shape().pieces());
  links_.push_back(Link{parent, ref});
}

void OurPeer::Carry(const core::CloseParent& a) {
  const PeerId parent = SimScheduler::PeerOf(a.peer_id);
  for (size_t i = links_.size(); i-- > 0;) {
    if (links_[i].parent != parent) continue;
    world_.feeds().Close(links_[i].ref);
    links_.erase(links_.begin() + static_cast<ptrdiff_t>(i));
  }
}

void OurPeer::OnOffers(SlotRef, const SyncLink& info, std::span<const Offer> offers) {
  core::ParentOffers event;
  event.peer_id = SimScheduler::PeerName(info.parent);
  event.offers.reserve(offers.size());
  for (const Offer& offer : offers) {
    core::PieceOffer out;
    out.number = offer.number;
    out.offset = store().shape().OffsetOf(offer.number);
    out.length = store().shape().LengthOf(offer.number);
    out.whole = offer.whole;
    event.offers.push_back(out);
  }
  Feed(std::move(event));
}

void OurPeer::OnLinkEnded(SlotRef ref, const SyncLink& info, FailureKind kind) {
  std::erase_if(links_, [ref](const Link& link) { return link.ref == ref; });
  core::ParentEnded ended;
  ended.peer_id = SimScheduler::PeerName(info.parent);
  ended.status = StatusOf(kind);
  Feed(std::move(ended));
}

// ---- pieces ----

void OurPeer::Carry(const core::StartFetch& a) {
  const PeerId parent = SimScheduler::PeerOf(a.peer_id);
  Transfer transfer;
  transfer.parent = parent;
  transfer.child = id();
  transfer.from = world_.HostOf(parent);
  transfer.to = host();
  transfer.shape = &store().shape();
  transfer.piece = a.number;
  transfer.base_block = a.number * store().shape().blocks_per_piece();
  transfer.first_block = a.first_block;
  transfer.end_block = store().shape().BlocksOf(a.number);
  transfer.fetch = a.fetch;
  transfer.steal = a.steal;
  fetches_.push_back(Fetch{a.fetch, world_.transport().Request(transfer)});
}

void OurPeer::Carry(const core::CancelFetch& a) {
  for (size_t i = 0; i < fetches_.size(); ++i) {
    if (fetches_[i].id != a.fetch) continue;
    world_.transport().Cancel(fetches_[i].transfer);
    fetches_.erase(fetches_.begin() + static_cast<ptrdiff_t>(i));
    return;
  }
}

core::PieceInfo OurPeer::InfoOf(PieceNumber piece, PeerId parent) const {
  core::PieceInfo info;
  info.number = piece;
  info.offset = store().shape().OffsetOf(piece);
  info.length = store().shape().LengthOf(piece);
  if (parent != kNobody) info.parent_id = SimScheduler::PeerName(parent);
  info.traffic =
      parent == kNobody ? core::TrafficType::kBackToSource : core::TrafficType::kRemotePeer;
  info.created_at = world_.LocalTime(host());
  return info;
}

void OurPeer::OnPieceBlock(const Transfer& transfer, uint32_t bytes, bool last) {
  const uint64_t fetch = transfer.fetch;
  if (!last) {
    const auto found = std::find_if(fetches_.begin(), fetches_.end(),
                                    [fetch](const Fetch& each) { return each.id == fetch; });
    if (found == fetches_.end()) return;
    found->untold_bytes += bytes;
    // The first block says that the request is being served.
    if (transfer.arrived > 1 && transfer.arrived % world_.progress_blocks() != 0) return;
    core::FetchProgress progress;
    progress.fetch = fetch;
    progress.bytes = std::exchange(found->untold_bytes, 0);
    if (world_.passes_on()) progress.kept_blocks = store().ready(transfer.piece);
    Feed(progress);
    return;
  }
  const PieceNumber piece = transfer.piece;
  const PeerId parent = transfer.parent;
  std::erase_if(fetches_, [fetch](const Fetch& each) { return each.id == fetch; });
  Feed(core::FetchDone{fetch, InfoOf(piece, parent)});
}

void OurPeer::OnFailed(SlotRef ref, const Transfer& transfer, FailureKind kind) {
  if (transfer.parent == kNobody && ref == reading_.transfer) {
    EndReading(StatusOf(kind));
    return;
  }
  const uint64_t fetch = transfer.fetch;
  std::erase_if(fetches_, [fetch](const Fetch& each) { return each.id == fetch; });
  core::FetchFailed failed;
  failed.fetch = fetch;
  failed.status = StatusOf(kind);
  Feed(std::move(failed));
}

// ---- the origin ----

void OurPeer::Carry(const core::OpenSource& a) {
  reading_.open = true;
  reading_.has_run = false;
  reading_.next_block = static_cast<uint32_t>(a.offset / core::kBlockBytes);
  const uint64_t end = a.length.has_value() ? a.offset + *a.length : store().shape().size_bytes;
  reading_.end_block = static_cast<uint32_t>((end + core::kBlockBytes - 1) / core::kBlockBytes);
  AskOrigin(world_.FirstBytePatience(*this));
}

void OurPeer::AskOrigin(Nanos patience) {
  reading_.has_run = false;
  ++reading_.number;
  world_.AskSource(*this, reading_.number, patience);
}

void OurPeer::Carry(const core::CloseSource&) {
  if (reading_.has_run) world_.transport().Cancel(reading_.transfer);
  reading_.open = false;
  reading_.has_run = false;
}

void OurPeer::OnSourceAsked(uint32_t reading) {
  if (!reading_.open || reading != reading_.number) return;
  world_.SendSourceHead(*this, reading);
  Transfer transfer;
  transfer.child = id();
  transfer.from = world_.origin();
  transfer.to = host();
  transfer.shape = &store().shape();
  transfer.first_block = reading_.next_block;
  transfer.end_block = reading_.end_block;
  reading_.transfer = world_.transport().Request(transfer, true);
  reading_.has_run = true;
}

void OurPeer::OnSourceHead(uint32_t reading) {
  if (!reading_.open || reading != reading_.number) return;
  Feed(core::SourceHead{store().shape().size_bytes, true});
}

void OurPeer::OnOriginBlock(SlotRef ref, Transfer& transfer, uint32_t bytes) {
  if (!reading_.open || ref != reading_.transfer) return;
  const TaskShape& shape = store().shape();
  const uint32_t block = transfer.first_block + transfer.arrived - 1;
  const PieceNumber piece = block / shape.blocks_per_piece();
  const uint32_t ready = block % shape.blocks_per_piece() + 1;
  const bool was_whole = store().whole(piece);
  world_.Stored(*this, piece, ready, 0, bytes);
  reading_.next_block = block + 1;
  const bool whole = ready == shape.BlocksOf(piece) && !was_whole;
  const uint32_t number = reading_.number;
  Feed(core::SourceProgress{bytes});
  if (whole) Feed(core::SourcePiece{InfoOf(piece, kNobody)});
  if (!reading_.open || reading_.number != number) return;
  if (reading_.next_block >= reading_.end_block) {
    world_.transport().Finish(ref);
    EndReading(absl::OkStatus());
    return;
  }
  // What has come from others meanwhile is passed over, with a request of its own.
  if (reading_.next_block % shape.blocks_per_piece() != 0) return;
  PieceNumber next = reading_.next_block / shape.blocks_per_piece();
  if (!store().whole(next)) return;
  while (next < shape.pieces() && store().whole(next)) ++next;
  world_.transport().Cancel(ref);
  reading_.has_run = false;
  reading_.next_block = next * shape.blocks_per_piece();
  if (next == shape.pieces() || reading_.next_block >= reading_.end_block) {
    EndReading(absl::OkStatus());
  } else {
    AskOrigin(0);
  }
}

void OurPeer::EndReading(const absl::Status& status) {
  reading_.open = false;
  reading_.has_run = false;
  Feed(core::SourceEnded{status, store().shape().size_bytes});
}

// ---- the rest ----

void OurPeer::Carry(const core::SetGeometry&) { knows_shape_ = true; }
void OurPeer::Carry(const core::DiscardContent&) {}
void OurPeer::Carry(const core::VerifyDigest& a) {
  Feed(core::DigestChecked{a.request, absl::OkStatus()});
}
void OurPeer::Carry(const core::FinishRequest& a) { world_.Ended(*this, a.status); }
void OurPeer::Carry(const core::Ended&) { core_ended_ = true; }

}  // namespace dragonfly::sim
