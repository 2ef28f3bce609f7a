#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dragonfly::common::oci {

// One way to authenticate that an answer 401 offers (RFC 9110, WWW-Authenticate).
struct Challenge {
  std::string scheme;                                           // lower case: "bearer", "basic"
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case

  // Empty when there is none.
  std::string_view Find(std::string_view name) const;
};

// The challenges of one header value, in their order. Takes any text: what cannot be read ends the
// list. At most 8 challenges with 16 parameters each.
std::vector<Challenge> ParseChallenges(std::string_view header);

}  // namespace dragonfly::common::oci
