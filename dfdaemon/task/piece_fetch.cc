// The part of Download that moves pieces from parents into storage.

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/task/download.h"
#include "dfdaemon/task/throttle.h"

namespace dragonfly::dfdaemon::task {

using common::status::ErrorReason;

// Writes what a parent sends, block by block, and tells the core that something moves.
class FetchSink : public transfer::PieceSink {
 public:
  FetchSink(Download& download, core::StartFetch action, std::shared_ptr<storage::TaskFile> file)
      : download_(download), action_(std::move(action)), file_(std::move(file)) {}

  absl::Status OnHead(const transfer::PieceHead& head) override {
    absl::StatusOr<std::unique_ptr<storage::PieceWriter>> writer = file_->Begin(action_.number);
    if (!writer.ok()) return writer.status();
    writer_ = std::move(*writer);
    expected_crc32_ = head.crc32;
    return absl::OkStatus();
  }

  absl::Status OnBytes(std::span<const std::byte> bytes, bool verified) override {
    absl::Status written = writer_->Write(bytes, verified);
    if (!written.ok()) return written;
    download_.Feed(core::FetchProgress{action_.fetch, bytes.size()});
    return absl::OkStatus();
  }

  absl::StatusOr<core::PieceInfo> Commit(absl::Duration cost) {
    return writer_->Commit(expected_crc32_, action_.peer_id, core::TrafficType::kRemotePeer, cost);
  }

 private:
  Download& download_;
  core::StartFetch action_;
  std::shared_ptr<storage::TaskFile> file_;  // kept for a content that is discarded meanwhile
  std::unique_ptr<storage::PieceWriter> writer_;
  std::optional<uint32_t> expected_crc32_;
};

void Download::StartFetch(const core::StartFetch& action) {
  auto scope = std::make_shared<common::async::CancelScope>(scope_);
  fetches_.emplace(action.fetch, scope);
  group_.Spawn(RunFetch(action, std::move(scope)));
}

common::async::Co<absl::StatusOr<core::PieceInfo>> Download::FetchPiece(
    core::StartFetch action, std::shared_ptr<common::async::CancelScope> scope,
    common::trace::SpanContext trace) {
  absl::Status ready = co_await WaitForFile(*scope);
  if (!ready.ok()) co_return ready;
  absl::Status admitted =
      co_await Throttle(*scope, deps_.env->clock(), deps_.download_limit, action.length);
  if (!admitted.ok()) co_return admitted;
  const auto parent = parents_.find(action.peer_id);
  std::optional<transfer::PieceTarget> target;
  if (parent != parents_.end() && parent->second.link != nullptr)
    target = parent->second.link->target();
  if (!target.has_value()) {
    co_return common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                         ErrorReason::kParentUnreachable,
                                         absl::StrCat("parent ", action.peer_id, " is gone"));
  }
  transfer::PieceRequest request;
  request.key = key_;
  request.number = action.number;
  request.offset = action.offset;
  request.length = action.length;
  request.trace = std::move(trace);
  const absl::Time began = deps_.env->clock().Now();
  FetchSink sink(*this, action, file_);
  absl::Status fetched = co_await deps_.pieces->Fetch(*scope, *target, std::move(request), sink);
  if (!fetched.ok()) co_return fetched;
  co_return sink.Commit(deps_.env->clock().Now() - began);
}

common::async::Co<void> Download::RunFetch(core::StartFetch action,
                                           std::shared_ptr<common::async::CancelScope> scope) {
  common::trace::Span span = deps_.tracer.StartIfRecorded(
      "download_piece", common::trace::SpanKind::kClient, principal_.trace);
  if (span.recording()) {
    Describe(span);
    span.SetText(common::trace::keys::kPieceId, absl::StrCat(key_.id, "-", action.number));
    span.SetNumber(common::trace::keys::kPieceLength, static_cast<int64_t>(action.length));
    span.SetText(common::trace::keys::kParentId, action.peer_id);
  }
  // A transport tells the parent, also of a trace that is not recorded here.
  const common::trace::SpanContext told = span.recording() ? span.context() : principal_.trace;
  absl::StatusOr<core::PieceInfo> piece = co_await FetchPiece(action, scope, told);
  EndSpan(span, *scope, piece.status());
  // However it ended, a piece that is stored is a success (another fetch may have been quicker).
  if (!piece.ok() && file_ != nullptr) {
    std::optional<core::PieceInfo> stored = file_->Piece(action.number);
    if (stored.has_value()) piece = std::move(*stored);
  }
  if (!piece.ok() && scope->cancelled()) co_return;
  fetches_.erase(action.fetch);
  if (!piece.ok()) {
    Feed(core::FetchFailed{action.fetch, piece.status()});
    co_return;
  }
  TellPiece(*piece);
  Feed(core::FetchDone{action.fetch, std::move(*piece)});
}

}  // namespace dragonfly::dfdaemon::task
