#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "manager/store/table_access.h"

namespace dragonfly::manager::rest {

// "%2F" and, in a query, "+" decoded; nothing for what is cut or has a zero byte.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);
std::string PercentEncode(std::string_view text);

// The parameters of a query. Of a name that occurs twice the first one counts, as in the original;
// what cannot be decoded and what is beyond 100 is left out.
class Query {
 public:
  Query() = default;
  static Query Parse(std::string_view text);

  // "" when it is not there.
  std::string_view Get(std::string_view name) const;
  void Set(std::string name, std::string value);
  // Names in order.
  std::string Encode() const;
  // Encode() with "***" for what must not be kept: tokens, codes, passwords.
  std::string Redacted() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// "page" and "per_page"; INVALID_ARGUMENT names the one that is out of bounds. 0 counts as absent.
absl::StatusOr<store::Page> PageOf(const Query& query);

// The header Link of a page: prev, next, first and last as the original counts them, so that
// clients find the number of pages in "last" (0: there are no rows).
std::string LinkHeader(std::string_view path, const Query& query, store::Page page, uint64_t total);

// A whole decimal number from 1 on; INVALID_ARGUMENT names `what`.
absl::StatusOr<int64_t> ParseId(std::string_view text, std::string_view what);

}  // namespace dragonfly::manager::rest
