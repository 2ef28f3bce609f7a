#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/async/co.h"
#include "common/id/task_key.h"
#include "common/trace/span_context.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/core/types.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::node {

using ParentNews = std::variant<core::ParentOffers, core::ParentEnded, core::ParentLoad>;

// The control connection to one parent for one task: SyncPieces and SyncHost.
// Threading: belongs to the executor it was opened for. Destroying it ends both streams.
class ParentLink {
 public:
  virtual ~ParentLink() = default;
  // Where its pieces are fetched, known from its first offer on; unset before.
  virtual std::optional<transfer::PieceTarget> target() const = 0;
};

// Opens links to parents over pooled channels. Addresses come from a scheduler: the egress policy
// is asked before anything is dialled, this node itself is refused, and a target that failed is
// left alone for a growing while.
class ParentDialer {
 public:
  virtual ~ParentDialer() = default;
  // `trace`: of the download, told to the parent. `on_news` on `executor`, never from inside Open.
  // ParentEnded is the last news of the pieces stream; loads may follow it while the link lives.
  virtual std::unique_ptr<ParentLink> Open(common::async::Executor executor,
                                           common::id::TaskKey key, core::ParentInfo parent,
                                           std::vector<core::PieceNumber> interested,
                                           common::trace::SpanContext trace,
                                           std::function<void(ParentNews)> on_news) = 0;
};

}  // namespace dragonfly::dfdaemon::node
