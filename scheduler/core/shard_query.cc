#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {
namespace {

absl::Status NotFound(std::string_view what, std::string_view id) {
  return common::status::MakeStatus(
      absl::StatusCode::kNotFound, common::status::ErrorReason::kNotFound,
      absl::StrCat(absl::string_view(what.data(), what.size()), " ",
                   absl::string_view(id.data(), id.size()), " not found"));
}

}  // namespace

TaskView Shard::ViewOf(const Task& task, bool with_pieces) const {
  TaskView view;
  view.descriptor = task.descriptor;
  view.state = task.state;
  view.content_length = task.content_length;
  if (task.length_assumed) view.content_length.reset();
  view.piece_count = task.piece_count;
  view.peer_count = task.peer_count();
  view.has_available_peer = !task.eligible().empty();
  view.created = task.created;
  view.updated = task.updated;
  if (with_pieces) view.pieces = task.source_pieces;
  return view;
}

PeerView Shard::ViewOf(const Peer& peer) const {
  PeerView view;
  view.id = peer.id;
  view.state = peer.state;
  view.priority = peer.priority;
  view.concurrent_piece_count = peer.concurrent_piece_count;
  view.range = peer.range;
  view.need_back_to_source = peer.need_back_to_source;
  view.cost = peer.cost;
  view.created = peer.created;
  view.updated = peer.updated;
  view.host = peer.host->facts();
  return view;
}

void Shard::Handle(const StatPeer& event) {
  const At at = Locate(event.peer);
  if (at.peer == nullptr) {
    sink_->AnswerPeer(event.request, NotFound("peer", event.peer.peer_id), TaskView(), PeerView());
    return;
  }
  sink_->AnswerPeer(event.request, absl::OkStatus(), ViewOf(*at.task, true), ViewOf(*at.peer));
}

void Shard::Handle(const DeletePeer& event) {
  const At at = Locate(event.peer);
  if (at.peer != nullptr) RemovePeer(at);
  sink_->AnswerDone(event.request, absl::OkStatus());  // never fails, as upstream
}

void Shard::Handle(const StatTask& event) {
  const At at = FindTask(event.task_id);
  if (at.task == nullptr) {
    sink_->AnswerTask(event.request, NotFound("task", event.task_id), TaskView());
    return;
  }
  sink_->AnswerTask(event.request, absl::OkStatus(), ViewOf(*at.task, true));
}

void Shard::Handle(const DeleteTask& event) {
  const At at = FindTask(event.task_id);
  if (at.task != nullptr) {
    for (uint32_t peer = 0; peer < at.task->slots().size(); ++peer) {
      if (at.task->slots()[peer] == nullptr) continue;
      if (at.task->peer(peer).host->id() != event.host_id) continue;
      RemovePeer(At{at.task_index, peer, at.task, &at.task->peer(peer)});
    }
  }
  sink_->AnswerDone(event.request, absl::OkStatus());
}

}  // namespace dragonfly::scheduler::core
