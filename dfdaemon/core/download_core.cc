#include "dfdaemon/core/download_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "dfdaemon/core/core_impl.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr absl::Duration kMaxRetryWait = absl::Seconds(5);

}  // namespace

DownloadCore::Impl::Impl(common::id::TaskKey key, CoreOptions options, StoredState stored,
                         uint64_t seed)
    : key_(std::move(key)),
      options_(options),
      random_(seed),
      geometry_(stored.geometry),
      picker_(random_.Next()),
      selector_(random_.Next()),
      meter_({options.downlink_bps, options.swarm.full_window, options.swarm.full}),
      source_backoff_(options.retry_base, kMaxRetryWait),
      reschedule_backoff_(options.retry_base, kMaxRetryWait) {
  if (!geometry_.content_length.has_value() && stored.finished.empty()) {
    chosen_piece_length_ = geometry_.piece_length;
  }
  uint32_t count = geometry_.piece_count().value_or(0);
  if (!geometry_.content_length.has_value()) {
    for (PieceNumber number : stored.finished) count = std::max(count, number + 1);
  }
  picker_.Grow(count);
  if (geometry_.piece_length > 0) {
    meter_.SetPieceLength(std::min(geometry_.piece_length,
                                   geometry_.content_length.value_or(geometry_.piece_length)));
  }
  for (PieceNumber number : stored.finished) picker_.SetStored(number, true);
}

void DownloadCore::Impl::Handle(const Event& event, absl::Time now, std::vector<Action>& actions) {
  now_ = now;
  actions_ = &actions;
  if (!ended_ || std::holds_alternative<Attach>(event)) {
    std::visit([this](const auto& e) { On(e); }, event);
    Advance();
  }
  actions_ = nullptr;
}

void DownloadCore::Impl::OnTime(absl::Time now, std::vector<Action>& actions) {
  now_ = now;
  actions_ = &actions;
  if (!ended_ && !requests_.empty()) {
    CheckTimers();
    Advance();
  }
  actions_ = nullptr;
}

DownloadCore::DownloadCore(common::id::TaskKey key, CoreOptions options, StoredState stored,
                           uint64_t seed)
    : impl_(std::make_unique<Impl>(std::move(key), options, std::move(stored), seed)) {}
DownloadCore::DownloadCore(DownloadCore&&) noexcept = default;
DownloadCore& DownloadCore::operator=(DownloadCore&&) noexcept = default;
DownloadCore::~DownloadCore() = default;

void DownloadCore::on(const Event& event, absl::Time now, std::vector<Action>& actions) {
  impl_->Handle(event, now, actions);
}
void DownloadCore::on_time(absl::Time now, std::vector<Action>& actions) {
  impl_->OnTime(now, actions);
}
absl::Time DownloadCore::next_deadline() const { return impl_->NextDeadline(); }
const Geometry& DownloadCore::geometry() const { return impl_->geometry(); }
bool DownloadCore::has_piece(PieceNumber number) const { return impl_->has_piece(number); }
bool DownloadCore::complete() const { return impl_->complete(); }
const Timeline& DownloadCore::explain() const { return impl_->timeline(); }

}  // namespace dragonfly::dfdaemon::core
