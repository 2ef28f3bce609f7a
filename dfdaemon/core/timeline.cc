#include "dfdaemon/core/timeline.h"

#include <utility>

namespace dragonfly::dfdaemon::core {
namespace {

// How a download began says more than its middle.
constexpr std::ptrdiff_t kFirstEntries = 64;

}  // namespace

void Timeline::Add(absl::Time at, std::string what, common::status::ErrorReason reason) {
  if (!entries_.empty() && entries_.back().what == what && entries_.back().reason == reason) {
    ++entries_.back().repeated;
    return;
  }
  if (entries_.size() >= kMaxEntries) {
    const auto oldest_of_the_rest = entries_.begin() + kFirstEntries;
    dropped_ += oldest_of_the_rest->repeated;
    entries_.erase(oldest_of_the_rest);
  }
  entries_.push_back(TimelineEntry{at, std::move(what), reason, 1});
}

}  // namespace dragonfly::dfdaemon::core
