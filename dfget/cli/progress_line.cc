#include "dfget/cli/progress_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace dragonfly::dfget::cli {
namespace {

size_t ColumnsOf(int fd) {
  constexpr size_t kUsual = 80;
  winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

// A terminal that takes nothing more costs the user his progress, not his download.
void Print(int fd, const std::string& text) {
  static_cast<void>(!::write(fd, text.data(), text.size()));
}

}  // namespace

ProgressLine::ProgressLine(int fd) : fd_(fd), progress_(absl::Now()) {}

void ProgressLine::SetTotal(std::optional<uint64_t> total_bytes) {
  std::lock_guard lock(mutex_);
  progress_.SetTotal(total_bytes);
}

void ProgressLine::Add(uint64_t bytes, From from) {
  std::lock_guard lock(mutex_);
  progress_.Add(bytes, from, absl::Now());
}

void ProgressLine::DrawLocked() {
  if (fd_ < 0 || finished_) return;
  // The last column stays free: a cursor behind it would wrap.
  Print(fd_, absl::StrCat("\r", progress_.Line(absl::Now(), ColumnsOf(fd_) - 1), "\x1b[K"));
  drawn_ = true;
}

void ProgressLine::Draw() {
  std::lock_guard lock(mutex_);
  DrawLocked();
}

void ProgressLine::Finish() {
  std::lock_guard lock(mutex_);
  if (progress_.traffic().bytes > 0 || drawn_) DrawLocked();
  if (drawn_ && !finished_) Print(fd_, "\n");
  finished_ = true;
}

Traffic ProgressLine::traffic() const {
  std::lock_guard lock(mutex_);
  return progress_.traffic();
}

absl::Duration ProgressLine::elapsed() const {
  std::lock_guard lock(mutex_);
  return progress_.elapsed(absl::Now());
}

}  // namespace dragonfly::dfget::cli
