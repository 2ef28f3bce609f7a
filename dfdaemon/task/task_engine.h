#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/digest/digest.h"
#include "common/id/task_key.h"
#include "common/trace/span_context.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/storage/content_store.h"

namespace dragonfly::dfdaemon::task {

// What a caller wants (common.v2.Download in our words). The adapters in service/ and proxy/ make
// it.
struct DownloadRequest {
  common::id::TaskKey key;
  std::string url;
  source::HeaderList headers;
  source::Requester requester = source::Requester::kNetwork;
  std::optional<common::digest::Digest> digest;  // of the whole content
  std::optional<core::ByteRange> range;
  std::optional<uint64_t> piece_length;  // the caller's choice
  std::optional<storage::Output> output;
  std::vector<std::string> certificate_chain;
  std::optional<absl::Duration> timeout;
  bool may_use_source = true;
  bool must_use_source = false;
  bool reads_content = false;  // the caller reads what it is told of while the download runs
  // Serialised common.v2.Download for the scheduler.
  std::string download;
  common::trace::SpanContext trace;  // of the call's span; not valid: none
  // Labels of metrics; bounded there.
  std::string tag;
  std::string application;
  int priority = 0;
};

struct DownloadStarted {
  std::string task_id;
  std::string peer_id;
  core::Geometry geometry;
  std::optional<core::ByteRange> range;
  source::HeaderList response_header;
  std::vector<core::PieceInfo> pieces;  // that will be reported; empty while the length is unknown
  bool from_disk = false;               // everything was here already
};

// Receives what happens to one request. Started at most once and before any piece; every piece that
// is part of the request once, those on disk first; Finished exactly once and last. Threading:
// called on the task's executor; must not block. A consumer that cannot take more says so with
// `congested()`, and is given nothing until it calls its handle's Resume().
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual void OnStarted(const DownloadStarted& started) = 0;
  virtual void OnPiece(const core::PieceInfo& piece) = 0;
  // OK: complete, verified, published.
  virtual void OnFinished(const absl::Status& status) = 0;
  virtual bool congested() const { return false; }
};

// One caller's hold on a download. Destroying it detaches the caller: its consumer is not called
// any more once the destructor has returned (on the executor's own thread), or soon after (from
// another).
class DownloadHandle {
 public:
  virtual ~DownloadHandle() = default;
  // Ends the request with `reason`; OnFinished is called.
  virtual void Cancel(absl::Status reason) = 0;
  virtual void Resume() = 0;
};

// The tasks of this node while they move. Requests for one task share one Download; what fails or
// goes away is a request, never the task of the others. Threading: any thread.
class TaskEngine {
 public:
  virtual ~TaskEngine() = default;
  // Errors are reported to the consumer. Outputs are checked before anything is fetched.
  virtual std::unique_ptr<DownloadHandle> Download(DownloadRequest request,
                                                   std::shared_ptr<Consumer> consumer) = 0;
  // Ends all downloads with kShutdown and returns when they are put away, within `limit`.
  virtual void Shutdown(absl::Duration limit) = 0;
};

}  // namespace dragonfly::dfdaemon::task
