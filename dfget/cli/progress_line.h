#pragma once

#include <mutex>
#include <optional>

#include "dfget/cli/progress.h"

namespace dragonfly::dfget::cli {

// Counts a download and, when `fd` is given, keeps one line on that terminal up to date.
// Threading: any thread.
class ProgressLine {
 public:
  // -1: only counts.
  explicit ProgressLine(int fd);

  void SetTotal(std::optional<uint64_t> total_bytes);
  void Add(uint64_t bytes, From from);
  // Draws again; more often than the eye follows is no use.
  void Draw();
  // Leaves the last state on the terminal and draws no more.
  void Finish();

  Traffic traffic() const;
  absl::Duration elapsed() const;

 private:
  void DrawLocked();

  const int fd_;
  mutable std::mutex mutex_;  // guards what follows
  Progress progress_;
  bool drawn_ = false;
  bool finished_ = false;
};

}  // namespace dragonfly::dfget::cli
