#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dfdaemon/node/parent_link.h"

namespace dragonfly::dfdaemon::node::testing {

// Parents that say what a test says. Threading: any thread; the script runs inside Open, its news
// arrive on the executor of the link in a later turn.
class FakeParentDialer : public ParentDialer {
 public:
  // One open link. Stays valid when the link is gone; news are then dropped.
  class Handle {
   public:
    virtual ~Handle() = default;
    virtual const common::id::TaskKey& key() const = 0;
    virtual const core::ParentInfo& parent() const = 0;
    virtual const std::vector<core::PieceNumber>& interested() const = 0;
    // Where its pieces are to be fetched, from the first offer on. Default: the parent's ip, 4005.
    virtual void SetTarget(transfer::PieceTarget target) = 0;
    virtual void Say(ParentNews news) = 0;
    // Offers of `numbers` cut by `geometry`.
    void Offer(const core::Geometry& geometry, const std::vector<core::PieceNumber>& numbers);
    virtual bool open() const = 0;
  };
  using HandlePtr = std::shared_ptr<Handle>;

  explicit FakeParentDialer(std::function<void(HandlePtr)> on_open = [](const HandlePtr&) {});

  std::vector<HandlePtr> links() const;

  std::unique_ptr<ParentLink> Open(common::async::Executor executor, common::id::TaskKey key,
                                   core::ParentInfo parent,
                                   std::vector<core::PieceNumber> interested,
                                   common::trace::SpanContext trace,
                                   std::function<void(ParentNews)> on_news) override;

 private:
  class Link;
  struct State;
  std::function<void(HandlePtr)> on_open_;
  mutable std::mutex mutex_;  // guards links_
  std::vector<HandlePtr> links_;
};

}  // namespace dragonfly::dfdaemon::node::testing
