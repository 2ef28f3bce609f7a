#include "tests/sim/policy.h"

#include <array>

namespace dragonfly::sim {
namespace {

constexpr std::array<Policy, 6> kPolicies = {{
    {"ours", "everything on"},
    {"no-stripes", "ours without stripes/1", false, true},
    {"no-pass-on", "ours, only whole pieces are passed on", true, false},
    {"upstream", "upstream's published rules, nodes and scheduler", false, false, true},
    {"random", "our nodes with parents at random", false, true, false, true},
    {"forest", "our nodes in two trees over all equal hosts, laid out once", true, true, false,
     false, true},
}};

}  // namespace

std::span<const Policy> Policies() { return kPolicies; }

const Policy* FindPolicy(std::string_view name) {
  for (const Policy& policy : kPolicies) {
    if (policy.name == name) return &policy;
  }
  return nullptr;
}

}  // namespace dragonfly::sim
