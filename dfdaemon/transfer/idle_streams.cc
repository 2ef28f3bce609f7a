#include "dfdaemon/transfer/idle_streams.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/statusor.h"
#include "common/async/steady_now.h"

namespace dragonfly::dfdaemon::transfer {

namespace async = common::async;

namespace {

// Neither closed nor with bytes that nobody asked for.
bool IsQuiet(async::TcpStream& stream) {
  std::array<std::byte, 1> unexpected{};
  const absl::StatusOr<size_t> got = stream.TryRead(unexpected);
  return got.ok() && *got == 0;
}

}  // namespace

IdleStreams::IdleStreams(async::Executor executor, Options options)
    : executor_(executor), options_(options), timer_(executor) {}

std::unique_ptr<async::TcpStream> IdleStreams::Take(const common::net::Endpoint& target,
                                                    bool encrypted) {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->stream->peer() != target || it->stream->encrypted() != encrypted) {
      ++it;
      continue;
    }
    std::unique_ptr<async::TcpStream> stream = std::move(it->stream);
    it = streams_.erase(it);
    if (IsQuiet(*stream)) return stream;
  }
  return nullptr;
}

void IdleStreams::Put(std::unique_ptr<async::TcpStream> stream) {
  if (options_.max_total == 0 || !IsQuiet(*stream)) return;
  const auto of_target = static_cast<size_t>(std::ranges::count_if(
      streams_, [&](const Idle& idle) { return idle.stream->peer() == stream->peer(); }));
  if (of_target >= options_.max_per_target) return;
  if (streams_.size() >= options_.max_total) streams_.pop_back();
  Idle idle;
  idle.stream = std::move(stream);
  idle.since = async::SteadyNow();
  streams_.push_front(std::move(idle));
  if (!armed_) Arm();
}

void IdleStreams::Clear() {
  streams_.clear();
  timer_.Disarm();
  armed_ = false;
}

void IdleStreams::Arm() {
  armed_ = true;
  const absl::Duration age = async::SteadyNow() - streams_.back().since;
  timer_.Arm(options_.idle_timeout - age, [this] {
    armed_ = false;
    Sweep();
  });
}

void IdleStreams::Sweep() {
  const absl::Time oldest = async::SteadyNow() - options_.idle_timeout;
  while (!streams_.empty() && streams_.back().since <= oldest) streams_.pop_back();
  if (!streams_.empty()) Arm();
}

}  // namespace dragonfly::dfdaemon::transfer
