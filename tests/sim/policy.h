#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace dragonfly::sim {

// What is compared: which nodes there are and which rules scheduler and nodes follow.
struct Policy {
  std::string_view name;
  std::string_view about;
  bool stripes = true;          // the nodes offer stripes/1
  bool pass_on = true;          // blocks are passed on before their piece is whole
  bool all_upstream = false;    // every node follows upstream's published rules
  bool random_parents = false;  // instead of the scheduler's choice
  bool forest = false;          // the same: two trees that are laid out once
};

std::span<const Policy> Policies();
// Null: no such policy.
const Policy* FindPolicy(std::string_view name);

}  // namespace dragonfly::sim
