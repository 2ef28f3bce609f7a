#include "dfdaemon/node/cluster_choice.h"

namespace dragonfly::dfdaemon::node {

void ClusterChoice::Forget() {
  chosen_.reset();
  times_ = 0;
}

void ClusterChoice::Look(std::span<const Candidate> in_order, bool fresh) {
  const Candidate* first = nullptr;
  bool ours_serves = false;
  for (const Candidate& each : in_order) {
    if (!each.serves) continue;
    if (first == nullptr) first = &each;
    ours_serves = ours_serves || each.cluster_id == chosen_;
  }
  if (!chosen_.has_value()) {
    if (first != nullptr) chosen_ = first->cluster_id;
    return;
  }
  if (!ours_serves || first->cluster_id == *chosen_) {
    times_ = 0;
    return;
  }
  if (!fresh) return;
  times_ = first->cluster_id == better_ ? times_ + 1 : 1;
  better_ = first->cluster_id;
  if (times_ < kPatience) return;
  chosen_ = better_;
  times_ = 0;
}

}  // namespace dragonfly::dfdaemon::node
