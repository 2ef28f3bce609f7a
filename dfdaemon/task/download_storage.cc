// The part of Download that deals with its file, its digests and its consumers.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/task/download.h"

namespace dragonfly::dfdaemon::task {

using common::status::ErrorReason;

void Download::OpenFile(core::Geometry geometry) {
  if (file_ == nullptr) {
    group_.Spawn(CreateFile(geometry));
    return;
  }
  if (geometry.content_length.has_value() && !file_->meta().geometry.content_length.has_value()) {
    file_status_ = file_->SetContentLength(*geometry.content_length);
    file_changed_.NotifyAll();
  }
  TellStarted();
}

common::async::Co<void> Download::CreateFile(core::Geometry geometry) {
  storage::CreateOptions create;
  create.url = principal_.url;
  create.piece_length = geometry.piece_length;
  create.content_length = geometry.content_length;
  create.time_to_live = options_.task_ttl;
  auto job = [store = deps_.store, key = key_, create] { return store->Create(key, create); };
  absl::StatusOr<std::shared_ptr<storage::TaskFile>> file =
      co_await common::async::RunBlocking(*deps_.pool, scope_, std::move(job));
  if (scope_.cancelled()) co_return;
  OnFile(std::move(file));
}

void Download::OnFile(absl::StatusOr<std::shared_ptr<storage::TaskFile>> file) {
  file_status_ = file.status();
  if (file.ok()) {
    file_ = std::move(*file);
    pin_ = file_->MakePin();
    // What the core has learned while the file was being made.
    const core::Geometry& geometry = core_.geometry();
    if (geometry.content_length.has_value() && !file_->meta().geometry.content_length.has_value()) {
      file_status_ = file_->SetContentLength(*geometry.content_length);
    }
    RestartFollowers();
    TellStarted();
  }
  file_changed_.NotifyAll();
  if (file_status_.ok()) return;
  // Without storage nobody can be served: a full disk is everybody's error.
  std::vector<core::RequestId> all;
  for (const auto& [id, request] : requests_) all.push_back(id);
  for (core::RequestId id : all) CancelRequest(id, file_status_);
}

common::async::Co<absl::Status> Download::WaitForFile(common::async::CancelScope& scope) {
  while (file_ == nullptr) {
    if (!file_status_.ok()) co_return file_status_;
    absl::Status waited = co_await file_changed_.Wait(scope);
    if (!waited.ok()) co_return waited;
  }
  co_return absl::OkStatus();
}

void Download::Discard(const absl::Status& why) {
  common::log::Warning("content discarded", common::log::kv("task", key_.id),
                       common::log::kv("why", why.message()));
  for (auto& [id, scope] : fetches_) scope->Cancel(why);
  fetches_.clear();
  StopSource();
  followers_.clear();
  pin_.reset();
  file_.reset();
  file_status_ = deps_.store->Delete(key_);
  // Who has read some of it cannot be given the rest of something else.
  std::vector<core::RequestId> readers;
  for (const auto& [id, request] : requests_) {
    if (request->request().reads_content && request->told_any()) readers.push_back(id);
  }
  for (core::RequestId id : readers) CancelRequest(id, why);
}

void Download::TellStarted() {
  if (file_ == nullptr) return;
  const storage::TaskMeta meta = file_->meta();
  if (!meta.geometry.content_length.has_value()) return;
  std::vector<core::RequestId> unsatisfiable;
  for (auto& [id, request] : requests_) {
    if (request->started()) continue;
    const std::optional<core::ByteRange>& range = request->request().range;
    if (range.has_value() && range->start >= *meta.geometry.content_length) {
      unsatisfiable.push_back(id);
      continue;
    }
    DownloadStarted started;
    started.task_id = key_.id;
    started.peer_id = peer_id_;
    started.geometry = meta.geometry;
    started.range = range;
    started.response_header = meta.response_header;
    started.from_disk = file_->complete();
    const PieceSpan span = PiecesOf(meta.geometry, range);
    for (core::PieceNumber number = span.begin; number < span.end; ++number) {
      core::PieceInfo piece;
      piece.number = number;
      piece.offset = meta.geometry.offset_of(number);
      piece.length = meta.geometry.length_of(number);
      started.pieces.push_back(std::move(piece));
    }
    request->TellStarted(started, *file_);
  }
  for (core::RequestId id : unsatisfiable) {
    CancelRequest(id, common::status::MakeStatus(
                          absl::StatusCode::kFailedPrecondition, ErrorReason::kInvalidArgument,
                          absl::StrCat("range: begins past the end of a content of ",
                                       *meta.geometry.content_length, " bytes")));
  }
}

void Download::TellPiece(const core::PieceInfo& piece) {
  file_changed_.NotifyAll();
  if (deps_.metrics != nullptr) deps_.metrics->OnTraffic(piece.traffic, piece.length);
  for (auto& [id, request] : requests_) request->TellPiece(piece);
}

void Download::FollowDigest(const DownloadRequest& request) {
  if (!request.digest.has_value() || request.range.has_value() || file_ == nullptr) return;
  const common::digest::Algorithm algorithm = request.digest->algorithm;
  if (followers_.contains(algorithm)) return;
  auto follower = std::make_shared<Follower>();
  follower->scope = std::make_shared<common::async::CancelScope>(scope_);
  absl::StatusOr<std::unique_ptr<DigestFollower>> made =
      DigestFollower::Create(*deps_.pool, file_, algorithm);
  if (made.ok()) {
    follower->follower = std::move(*made);
    group_.Spawn(RunFollower(follower));
  } else {
    follower->result = made.status();
  }
  followers_.emplace(algorithm, std::move(follower));
}

void Download::RestartFollowers() {
  for (auto& [algorithm, follower] : followers_) {
    follower->scope->Cancel(absl::CancelledError("the content is read anew"));
  }
  followers_.clear();
  for (auto& [id, request] : requests_) FollowDigest(request->request());
}

common::async::Co<void> Download::RunFollower(std::shared_ptr<Follower> follower) {
  absl::StatusOr<common::digest::Digest> result =
      co_await follower->follower->Run(*follower->scope, file_changed_);
  follower->result = std::move(result);
  file_changed_.NotifyAll();
}

common::async::Co<void> Download::RunDigest(core::RequestId id) {
  absl::Status status = co_await CheckDigest(id);
  if (scope_.cancelled()) co_return;
  core::DigestChecked checked;
  checked.request = id;
  checked.status = std::move(status);
  Feed(std::move(checked));
}

common::async::Co<absl::Status> Download::CheckDigest(core::RequestId id) {
  absl::Status status = co_await WaitForFile(scope_);
  AttachedRequest* request = Find(id);
  if (!status.ok() || request == nullptr) co_return status;
  if (!request->request().digest.has_value() || request->request().range.has_value())
    co_return status;
  const common::digest::Digest expected = *request->request().digest;
  FollowDigest(request->request());
  const std::shared_ptr<Follower> follower = followers_.at(expected.algorithm);
  while (!follower->result.has_value()) {
    status = co_await file_changed_.Wait(scope_);
    if (!status.ok()) co_return status;
  }
  const absl::StatusOr<common::digest::Digest>& found = *follower->result;
  if (!found.ok()) co_return found.status();
  if (*found == expected) co_return absl::OkStatus();
  co_return common::status::MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDigestMismatch,
                                       absl::StrCat("digest: the content is ", found->ToString(),
                                                    ", expected ", expected.ToString()));
}

void Download::Finish(core::RequestId id, absl::Status status) {
  if (status.ok()) {
    publishing_.Spawn(RunPublish(id));
  } else {
    EndRequest(id, status);
  }
}

common::async::Co<void> Download::RunPublish(core::RequestId id) {
  absl::Status status = co_await WaitForFile(scope_);
  if (status.ok()) TellStarted();
  AttachedRequest* request = Find(id);
  if (request == nullptr) co_return;
  if (status.ok() && request->request().output.has_value()) {
    auto job = [file = file_, output = *request->request().output]() -> absl::Status {
      return file->Publish(output).status();
    };
    status = co_await common::async::RunBlocking(*deps_.pool, scope_, std::move(job));
  }
  request = Find(id);
  if (request == nullptr) co_return;
  while (status.ok() && file_ != nullptr &&
         request->TellPieces(*file_) == AttachedRequest::Told::kCongested) {
    status = co_await resumed_.Wait(scope_);
    request = Find(id);
    if (request == nullptr) co_return;
  }
  EndRequest(id, status);
}

namespace {

TaskLabels LabelsOf(const DownloadRequest& request) {
  TaskLabels labels;
  labels.type = static_cast<int>(request.key.kind);
  labels.tag = request.tag;
  labels.application = request.application;
  labels.priority = request.priority;
  return labels;
}

}  // namespace

// The last turns of the download, for people: "registered, attempt 0; answered: 2 parents".
std::string Download::Explain() const {
  constexpr size_t kTold = 12;
  const auto& entries = core_.explain().entries();
  std::string text;
  for (size_t i = entries.size() - std::min(entries.size(), kTold); i < entries.size(); ++i)
    absl::StrAppend(&text, text.empty() ? "" : "; ", entries[i].what);
  return text;
}

void Download::CountStarted(const DownloadRequest& request) {
  if (deps_.metrics != nullptr) deps_.metrics->OnTaskStarted(LabelsOf(request));
}

void Download::CountEnded(const AttachedRequest& request, const absl::Status& status) {
  common::log::Info(status.ok() ? "download finished" : "download failed",
                    common::log::kv("task", key_.id), common::log::kv("peer", peer_id_),
                    common::log::kv("took", deps_.env->clock().Now() - request.attached_at()),
                    common::log::kv("from", request.Sources()), common::log::kv("error", status),
                    common::log::kv("how", Explain()));
  if (deps_.metrics == nullptr) return;
  uint64_t bytes = core_.geometry().content_length.value_or(0);
  if (request.request().range.has_value()) bytes = std::min(bytes, request.request().range->length);
  deps_.metrics->OnTaskEnded(LabelsOf(request.request()), status, bytes,
                             deps_.env->clock().Now() - request.attached_at());
}

}  // namespace dragonfly::dfdaemon::task
