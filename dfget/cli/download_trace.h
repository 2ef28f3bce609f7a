#pragma once

#include <memory>

#include "common/async/runtime.h"
#include "common/trace/batch_sender.h"
#include "common/trace/span.h"
#include "dfget/cli/options.h"

namespace dragonfly::dfget::cli {

// The span of a download as its caller sees it, and its way to a receiver when the options name
// one. Without, the trace that the caller is part of is handed on as it is: a span that nobody gets
// to see would be a hole in it. Threading: main's thread.
class DownloadTrace {
 public:
  explicit DownloadTrace(const Options& options);
  DownloadTrace(const DownloadTrace&) = delete;
  DownloadTrace& operator=(const DownloadTrace&) = delete;
  ~DownloadTrace();  // Finish()

  common::trace::Span& span() { return span_; }
  // Ends and sends it; a receiver that is away costs a second.
  void Finish();

 private:
  std::unique_ptr<common::async::Runtime> runtime_;     // null: nothing is sent
  std::shared_ptr<common::trace::BatchSender> sender_;  // shared with the span
  common::trace::Span span_;
};

}  // namespace dragonfly::dfget::cli
