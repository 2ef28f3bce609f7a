#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "dfget/cli/options.h"
#include "dfget/cli/progress.h"

namespace dragonfly::dfget::cli {

struct PieceReport {
  uint64_t offset = 0;
  uint64_t length = 0;
  From from = From::kUnknown;
  std::string_view parent;   // the peer that gave it; empty: no peer
  std::string_view content;  // only when it was asked for; then `length` bytes, checked
};

// What the daemon tells. Called on the thread of DownloadCall::Run; an error ends the call.
class DownloadEvents {
 public:
  virtual ~DownloadEvents() = default;
  // Once, first. nullopt: the length of the content is unknown.
  virtual absl::Status OnStarted(std::optional<uint64_t> content_length) = 0;
  // Each piece once.
  virtual absl::Status OnPiece(const PieceReport& piece) = 0;
};

// One DownloadTask call to the daemon on this host.
class DownloadCall {
 public:
  // `output_path`: absolute; empty when the options ask for the content instead.
  DownloadCall(const Options& options, const std::string& output_path);
  DownloadCall(const DownloadCall&) = delete;
  DownloadCall& operator=(const DownloadCall&) = delete;
  ~DownloadCall();

  // Blocks until the download has ended, at most a little longer than the options' timeout; once.
  // OK: complete, and where the daemon writes the file it is in place. kDaemonUnreachable: nobody
  // answers on the socket; the message says how to start a daemon. Other reasons are the daemon's.
  absl::Status Run(DownloadEvents& events);

  // Ends the call; the daemon goes on for others who wait for the task. Any thread, any time.
  void Cancel();

  // As soon as the daemon has named it; for the thread of Run.
  const std::string& task_id() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfget::cli
