#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "manager/search/scopes.h"

namespace dragonfly::manager::search {

// A name that is longer has no pattern: DNS ends at 253 bytes, and the time for a question grows
// with the name.
inline constexpr size_t kMaxHostnameBytes = 256;

// Patterns of host names, compiled once, matched in one pass. RE2 never takes more than linear
// time, whatever a pattern says. Immutable; any thread.
class HostnamePatterns {
 public:
  HostnamePatterns();  // matches nothing
  // What does not compile or is too long is skipped. `memory_bytes`: for matching them in one pass;
  // where it does not suffice they are matched one after the other.
  HostnamePatterns(std::span<const std::string> patterns, std::vector<Skipped>& skipped,
                   int64_t memory_bytes = kSetMemoryBytes);
  HostnamePatterns(HostnamePatterns&&) noexcept;
  HostnamePatterns& operator=(HostnamePatterns&&) noexcept;
  ~HostnamePatterns();

  // Whether any pattern is found in `hostname`; an empty name matches none.
  bool Match(std::string_view hostname) const;

 private:
  static constexpr int64_t kSetMemoryBytes = int64_t{8} << 20U;
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;  // null: no patterns
};

// A name compared without regard to case, as Unicode folds it (simple folding). Names in ASCII cost
// no pattern.
class FoldedName {
 public:
  explicit FoldedName(std::string_view name);
  FoldedName(FoldedName&&) noexcept;
  FoldedName& operator=(FoldedName&&) noexcept;
  ~FoldedName();

  bool Equals(std::string_view name) const;

 private:
  struct Compiled;
  std::string name_;
  std::unique_ptr<const Compiled> compiled_;  // null: ASCII
};

// How many patterns this process has compiled: a metric, and what a test looks at to see that
// ranking compiles none.
uint64_t CompiledPatterns();

}  // namespace dragonfly::manager::search
