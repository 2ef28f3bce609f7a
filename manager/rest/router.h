#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// The parameters of a path by their names in the pattern, decoded: "id", "role".
using PathParameters = std::map<std::string, std::string, std::less<>>;

// Finds the route of a request. Segments are compared exactly, byte by byte, before anything is
// decoded: "//", "/./", "%2e", ";x" and other letters of a path that has a route have none, so
// nothing in front of us can read a path differently than we do. A written segment goes before a
// parameter. Immutable; any thread.
class Router {
 public:
  // Patterns of one method must differ.
  explicit Router(std::vector<Route> routes);

  struct Match {
    enum class Outcome : uint8_t {
      kFound,
      kRedirect,     // a slash too many: `location`, 301 for GET and HEAD, else 307
      kWrongMethod,  // `allow`
      kNotFound
    } outcome = Outcome::kNotFound;
    const Route* route = nullptr;  // lives as long as the router
    PathParameters parameters;
    std::string location;  // without query
    std::string allow;     // "GET, POST"
  };
  // HEAD finds what GET finds.
  Match Find(std::string_view method, std::string_view path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Pattern {
    std::vector<std::string> segments;
    const Route* route = nullptr;
  };
  const Pattern* Best(std::string_view method, const std::vector<std::string_view>& path) const;

  std::vector<Route> routes_;
  std::vector<Pattern> patterns_;
};

// Whether a path belongs to the programming interface, which answers JSON also to what it does not
// know.
bool IsApiPath(std::string_view path);

}  // namespace dragonfly::manager::rest
