#include "manager/rest/router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "manager/rest/query.h"

namespace dragonfly::manager::rest {
namespace {

constexpr size_t kMaxSegments = 16;

// "/a/b" is "a", "b"; "/a/" is "a", "".
std::vector<std::string_view> SegmentsOf(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.empty() || path[0] != '/') return segments;
  path.remove_prefix(1);
  while (segments.size() <= kMaxSegments) {
    const size_t end = path.find('/');
    segments.push_back(path.substr(0, end));
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  return segments;
}

bool IsParameter(std::string_view segment) { return !segment.empty() && segment[0] == ':'; }

// How many of the first segments are written out in the better pattern decides: compared from left
// to right.
bool Fits(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path) {
  if (pattern.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (IsParameter(pattern[i]) ? path[i].empty() : path[i] != pattern[i]) return false;
  }
  return true;
}

bool IsBetter(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (IsParameter(a[i]) != IsParameter(b[i])) return IsParameter(b[i]);
  }
  return false;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    Pattern pattern;
    for (const std::string_view segment : SegmentsOf(route.pattern))
      pattern.segments.emplace_back(segment);
    pattern.route = &route;
    patterns_.push_back(std::move(pattern));
  }
}

const Router::Pattern* Router::Best(std::string_view method,
                                    const std::vector<std::string_view>& path) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  const Pattern* best = nullptr;
  for (const Pattern& pattern : patterns_) {
    if (pattern.route->method != wanted || !Fits(pattern.segments, path)) continue;
    if (best == nullptr || IsBetter(pattern.segments, best->segments)) best = &pattern;
  }
  return best;
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  std::vector<std::string_view> segments = SegmentsOf(path);
  if (segments.empty()) return match;
  if (const Pattern* found = Best(method, segments)) {
    for (size_t i = 0; i < segments.size(); ++i) {
      if (!IsParameter(found->segments[i])) continue;
      std::optional<std::string> value = PercentDecode(segments[i], false);
      if (!value) return match;
      match.parameters.emplace(found->segments[i].substr(1), *std::move(value));
    }
    match.outcome = Match::Outcome::kFound;
    match.route = found->route;
    return match;
  }
  if (segments.size() > 1 && segments.back().empty()) {
    segments.pop_back();
    // One that we know, so that it cannot lead to another host.
    if (Best(method, segments) != nullptr) {
      match.outcome = Match::Outcome::kRedirect;
      match.location = std::string(path.substr(0, path.size() - 1));
    }
    return match;
  }
  std::set<std::string> allowed;
  for (const Pattern& pattern : patterns_) {
    if (!Fits(pattern.segments, segments)) continue;
    allowed.insert(pattern.route->method);
    if (pattern.route->method == "GET") allowed.insert("HEAD");
  }
  if (!allowed.empty()) {
    match.outcome = Match::Outcome::kWrongMethod;
    match.allow = absl::StrJoin(allowed, ", ");
  }
  return match;
}

bool IsApiPath(std::string_view path) {
  for (const std::string_view prefix : {std::string_view("/api"), std::string_view("/oapi")}) {
    if (path.substr(0, prefix.size()) == prefix &&
        (path.size() == prefix.size() || path[prefix.size()] == '/')) {
      return true;
    }
  }
  return false;
}

}  // namespace dragonfly::manager::rest
