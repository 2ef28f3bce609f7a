#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace dragonfly::dfdaemon::node {

// Which of the clusters that a directory names is ours (docs/reference/dynconfig.md, "Which
// cluster"). Pure.
//
// The first scheduler, in the directory's order, that serves decides. After that nothing crosses:
// when no scheduler of our cluster serves, there is none for us, whatever else the directory names.
// Only a directory that names another cluster before ours in several answers in a row, each time
// with a scheduler that serves while one of ours serves too, moves us: that is an administrator's
// will and no accident.
class ClusterChoice {
 public:
  // Answers in a row. Managers of the original give clusters that suit a node equally in any order,
  // and a node should not wander with it.
  static constexpr int kPatience = 3;

  struct Candidate {
    uint64_t cluster_id = 0;
    bool serves = false;
  };

  // The choice of an earlier run counts as made.
  void Remember(uint64_t cluster_id) { chosen_ = cluster_id; }
  // The cluster does not exist any more: the next look chooses anew.
  void Forget();
  // `fresh`: the candidates are of a new answer, not another look at the same.
  void Look(std::span<const Candidate> in_order, bool fresh);

  std::optional<uint64_t> chosen() const { return chosen_; }

 private:
  std::optional<uint64_t> chosen_;
  uint64_t better_ = 0;  // named before ours lately
  int times_ = 0;        // in so many answers in a row
};

}  // namespace dragonfly::dfdaemon::node
