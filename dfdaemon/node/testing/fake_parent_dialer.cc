#include "dfdaemon/node/testing/fake_parent_dialer.h"

#include <utility>

#include "common/async/runtime.h"

namespace dragonfly::dfdaemon::node::testing {

using common::async::Executor;

struct FakeParentDialer::State : FakeParentDialer::Handle, std::enable_shared_from_this<State> {
  State(Executor on, common::id::TaskKey of, core::ParentInfo at,
        std::vector<core::PieceNumber> wanted, std::function<void(ParentNews)> callback)
      : executor(on),
        task(std::move(of)),
        info(std::move(at)),
        numbers(std::move(wanted)),
        on_news(std::move(callback)) {}

  const common::id::TaskKey& key() const override { return task; }
  const core::ParentInfo& parent() const override { return info; }
  const std::vector<core::PieceNumber>& interested() const override { return numbers; }
  void SetTarget(transfer::PieceTarget to) override {
    const std::lock_guard lock(mutex);
    target = to;
  }
  bool open() const override {
    const std::lock_guard lock(mutex);
    return alive;
  }

  void Say(ParentNews news) override {
    common::async::Post(executor, [self = shared_from_this(), news = std::move(news)] {
      {
        const std::lock_guard lock(self->mutex);
        if (!self->alive) return;
        const bool of_pieces = !std::holds_alternative<core::ParentLoad>(news);
        if (of_pieces && self->told_all) return;
        if (std::holds_alternative<core::ParentOffers>(news)) self->offered = true;
        if (std::holds_alternative<core::ParentEnded>(news)) self->told_all = true;
      }
      self->on_news(news);
    });
  }

  const Executor executor;
  const common::id::TaskKey task;
  const core::ParentInfo info;
  const std::vector<core::PieceNumber> numbers;
  const std::function<void(ParentNews)> on_news;
  mutable std::mutex mutex;  // guards what follows
  bool alive = true;
  bool offered = false;
  bool told_all = false;  // ParentEnded was said: only loads may follow
  std::optional<transfer::PieceTarget> target;
};

class FakeParentDialer::Link : public ParentLink {
 public:
  explicit Link(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Link() override {
    const std::lock_guard lock(state_->mutex);
    state_->alive = false;
  }
  std::optional<transfer::PieceTarget> target() const override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->offered) return std::nullopt;
    if (state_->target) return state_->target;
    const auto ip = common::net::IpAddress::Parse(state_->info.ip);
    if (!ip.ok()) return std::nullopt;
    transfer::PieceTarget target;
    target.endpoint = common::net::Endpoint{*ip, 4005};
    return target;
  }

 private:
  std::shared_ptr<State> state_;
};

void FakeParentDialer::Handle::Offer(const core::Geometry& geometry,
                                     const std::vector<core::PieceNumber>& numbers) {
  core::ParentOffers offers;
  offers.peer_id = parent().peer_id;
  for (const core::PieceNumber number : numbers) {
    offers.offers.push_back({number, geometry.offset_of(number), geometry.length_of(number)});
  }
  Say(std::move(offers));
}

FakeParentDialer::FakeParentDialer(std::function<void(HandlePtr)> on_open)
    : on_open_(std::move(on_open)) {}

std::vector<FakeParentDialer::HandlePtr> FakeParentDialer::links() const {
  const std::lock_guard lock(mutex_);
  return links_;
}

std::unique_ptr<ParentLink> FakeParentDialer::Open(Executor executor, common::id::TaskKey key,
                                                   core::ParentInfo parent,
                                                   std::vector<core::PieceNumber> interested,
                                                   common::trace::SpanContext /*trace*/,
                                                   std::function<void(ParentNews)> on_news) {
  auto state = std::make_shared<State>(executor, std::move(key), std::move(parent),
                                       std::move(interested), std::move(on_news));
  {
    const std::lock_guard lock(mutex_);
    links_.push_back(state);
  }
  on_open_(state);
  return std::make_unique<Link>(state);
}

}  // namespace dragonfly::dfdaemon::node::testing
