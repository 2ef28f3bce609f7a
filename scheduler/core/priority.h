#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/core/types.h"

namespace dragonfly::scheduler::core {

// The priorities that an administrator gave to applications: for downloads that name an application
// and no priority. Patterns have RE2 syntax, are searched (not anchored) in the URL, and are
// compiled once. Immutable.
class PriorityRules {
 public:
  struct UrlRule {
    std::string pattern;
    int value = 0;
  };
  struct Application {
    std::string name;
    int default_value = 0;
    std::vector<UrlRule> urls;  // the first that matches counts
  };

  PriorityRules();
  // INVALID_ARGUMENT naming application and pattern when one does not compile or a value is not 0
  // to 6.
  static absl::StatusOr<std::shared_ptr<const PriorityRules>> Compile(
      const std::vector<Application>& applications);
  ~PriorityRules();
  PriorityRules(const PriorityRules&) = delete;
  PriorityRules& operator=(const PriorityRules&) = delete;

  // `requested` unless it is LEVEL0; then what the rules say about application and URL, else
  // LEVEL0.
  int Effective(int requested, std::string_view application, std::string_view url) const;

 private:
  struct Compiled;
  std::vector<Compiled> applications_;
};

}  // namespace dragonfly::scheduler::core
