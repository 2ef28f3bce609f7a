#include "scheduler/core/priority.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::scheduler::core {

struct PriorityRules::Compiled {
  std::string name;
  int default_value = 0;
  std::vector<std::pair<std::unique_ptr<re2::RE2>, int>> urls;
};

namespace {

absl::Status CheckValue(const std::string& application, int value) {
  if (value >= static_cast<int>(Priority::kLevel0) &&
      value <= static_cast<int>(Priority::kLevel6)) {
    return absl::OkStatus();
  }
  return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                    common::status::ErrorReason::kInvalidArgument,
                                    absl::StrCat("applications: ", application, ": priority value ",
                                                 value, " is not one of 0 to 6"));
}

}  // namespace

PriorityRules::PriorityRules() = default;
PriorityRules::~PriorityRules() = default;

absl::StatusOr<std::shared_ptr<const PriorityRules>> PriorityRules::Compile(
    const std::vector<Application>& applications) {
  auto rules = std::make_shared<PriorityRules>();
  re2::RE2::Options options;
  options.set_log_errors(false);
  for (const Application& application : applications) {
    absl::Status checked = CheckValue(application.name, application.default_value);
    if (!checked.ok()) return checked;
    Compiled compiled;
    compiled.name = application.name;
    compiled.default_value = application.default_value;
    for (const UrlRule& rule : application.urls) {
      checked = CheckValue(application.name, rule.value);
      if (!checked.ok()) return checked;
      auto regex = std::make_unique<re2::RE2>(rule.pattern, options);
      if (!regex->ok()) {
        return common::status::MakeStatus(
            absl::StatusCode::kInvalidArgument, common::status::ErrorReason::kInvalidArgument,
            absl::StrCat("applications: ", application.name, ": url pattern '", rule.pattern,
                         "': ", regex->error(), "; write it in RE2 syntax"));
      }
      compiled.urls.emplace_back(std::move(regex), rule.value);
    }
    rules->applications_.push_back(std::move(compiled));
  }
  return std::shared_ptr<const PriorityRules>(std::move(rules));
}

int PriorityRules::Effective(int requested, std::string_view application,
                             std::string_view url) const {
  if (requested != static_cast<int>(Priority::kLevel0)) return requested;
  for (const Compiled& candidate : applications_) {
    if (candidate.name != application) continue;
    for (const auto& [regex, value] : candidate.urls) {
      if (re2::RE2::PartialMatch(re2::StringPiece(url.data(), url.size()), *regex)) return value;
    }
    return candidate.default_value;
  }
  return requested;
}

}  // namespace dragonfly::scheduler::core
