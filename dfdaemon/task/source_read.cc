// The part of Download that reads the origin.

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status/reason.h"
#include "dfdaemon/task/download.h"
#include "dfdaemon/task/source_reader.h"
#include "dfdaemon/task/throttle.h"

namespace dragonfly::dfdaemon::task {

using common::status::ErrorReason;

void Download::StartSource(const core::OpenSource& action) {
  StopSource();
  source_ = std::make_shared<common::async::CancelScope>(scope_);
  group_.Spawn(RunSource(action, source_));
}

void Download::StopSource() {
  if (source_ == nullptr) return;
  const std::shared_ptr<common::async::CancelScope> scope = std::exchange(source_, nullptr);
  scope->Cancel(common::status::MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled,
                                           "the origin is not needed any more"));
}

common::async::Co<void> Download::RunSource(core::OpenSource action,
                                            std::shared_ptr<common::async::CancelScope> scope) {
  core::SourceEnded ended;
  common::trace::Span span = StartSpan("download_partial_from_source");
  span.SetUrl(principal_.url);
  span.SetNumber("offset", static_cast<int64_t>(action.offset));
  absl::StatusOr<std::shared_ptr<source::Source>> source = deps_.sources->Find(principal_.url);
  ended.status = source.status();
  uint64_t position = action.offset;
  const std::optional<uint64_t> end = action.length.has_value()
                                          ? std::optional<uint64_t>(action.offset + *action.length)
                                          : std::nullopt;
  // One turn for each stretch: where the origin has ranges, what is stored already is not read
  // again.
  while (ended.status.ok()) {
    absl::StatusOr<Stretch> stretch =
        co_await ReadStretch(*source, scope, span.context(), position, end);
    ended.status = stretch.status();
    if (!stretch.ok()) break;
    position = stretch->position;
    if (stretch->content_length.has_value()) ended.content_length = stretch->content_length;
    if (stretch->at_end || (end.has_value() && position >= *end)) break;
  }
  EndSpan(span, *scope, ended.status);
  if (scope->cancelled() || source_ != scope) co_return;
  source_ = nullptr;
  Feed(std::move(ended));
}

common::async::Co<absl::StatusOr<Download::Stretch>> Download::ReadStretch(
    std::shared_ptr<source::Source> source, std::shared_ptr<common::async::CancelScope> scope,
    common::trace::SpanContext trace, uint64_t begin, std::optional<uint64_t> end) {
  // Without a known length the origin is read from its first byte: nobody knows whether it has
  // ranges.
  const std::optional<uint64_t> known = core_.geometry().content_length;
  std::optional<core::ByteRange> range;
  if (known.has_value() && (begin > 0 || end.has_value())) {
    const uint64_t until = std::min(end.value_or(*known), *known);
    if (begin >= until) co_return Stretch{until, true, std::nullopt};
    range = core::ByteRange{begin, until - begin};
  }
  const absl::Time asked_at = deps_.env->clock().Now();
  absl::StatusOr<std::unique_ptr<source::SourceStream>> opened =
      co_await source->Read(*scope, MakeSourceRequest(trace), range);
  CountBackendRequest(opened.ok() || scope->cancelled(), asked_at);
  if (!opened.ok()) co_return opened.status();
  const std::unique_ptr<source::SourceStream> stream = std::move(*opened);
  const source::SourceHead head = stream->head();
  Feed(core::SourceHead{head.content_length, head.ranges});
  absl::Status ready = co_await WaitForFile(*scope);
  if (!ready.ok()) co_return ready;
  storage::Validators validators;
  validators.etag = head.etag;
  validators.last_modified = head.last_modified;
  absl::Status pinned = file_->SetOrigin(std::move(validators), head.headers);
  if (!pinned.ok()) co_return pinned;
  absl::StatusOr<Stretch> stretch = co_await StoreStream(*stream, scope, begin, end);
  co_return stretch;
}

common::async::Co<absl::StatusOr<Download::Stretch>> Download::StoreStream(
    source::SourceStream& stream, std::shared_ptr<common::async::CancelScope> scope, uint64_t begin,
    std::optional<uint64_t> end) {
  PieceCutter cutter(file_, stream.head().offset, begin);
  const bool can_skip = stream.head().ranges && stream.head().content_length.has_value();
  const uint64_t piece_length = core_.geometry().piece_length;
  std::vector<std::byte> block(core::kBlockBytes);
  for (;;) {
    absl::StatusOr<size_t> read = co_await stream.Read(*scope, std::span<std::byte>(block));
    if (absl::IsOutOfRange(read.status())) break;
    if (!read.ok()) co_return read.status();
    absl::Status admitted =
        co_await Throttle(*scope, deps_.env->clock(), deps_.source_limit, *read);
    if (admitted.ok())
      admitted = co_await Throttle(*scope, deps_.env->clock(), deps_.download_limit, *read);
    if (!admitted.ok()) co_return admitted;
    Feed(core::SourceProgress{*read});
    std::span<const std::byte> rest(block.data(), *read);
    while (!rest.empty() && !scope->cancelled()) {
      absl::StatusOr<PieceCutter::Taken> taken = cutter.Take(rest);
      if (!taken.ok()) co_return taken.status();
      rest = rest.subspan(taken->bytes);
      if (taken->finished.has_value()) {
        TellPiece(*taken->finished);
        Feed(core::SourcePiece{std::move(*taken->finished)});
      }
    }
    if (scope->cancelled()) co_return scope->status();
    if (end.has_value() && cutter.position() >= *end)
      co_return Stretch{cutter.position(), false, std::nullopt};
    const uint64_t next = cutter.NextMissing();
    if (can_skip && next >= cutter.position() + piece_length)
      co_return Stretch{next, false, std::nullopt};
  }
  absl::StatusOr<std::optional<core::PieceInfo>> last = cutter.Finish();
  if (!last.ok()) co_return last.status();
  if (last->has_value()) {
    TellPiece(**last);
    Feed(core::SourcePiece{std::move(**last)});
  }
  co_return Stretch{cutter.position(), true, cutter.position()};
}

void Download::CountBackendRequest(bool ok, absl::Time asked_at) {
  if (deps_.metrics == nullptr) return;
  const std::string& url = principal_.url;
  deps_.metrics->OnBackendRequest(std::string_view(url).substr(0, url.find(':')), "GET", !ok,
                                  deps_.env->clock().Now() - asked_at);
}

}  // namespace dragonfly::dfdaemon::task
