#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dragonfly::common::http {

// Header fields in the order of the wire, names as received. Names compare without case.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

bool SameName(std::string_view a, std::string_view b);
// The first field of that name.
std::optional<std::string_view> Find(const HeaderList& headers, std::string_view name);
// Without the spaces and tabs around it.
std::string_view Trim(std::string_view text);
// Empty when there is none.
inline std::string_view FindOrEmpty(const HeaderList& headers, std::string_view name) {
  return Find(headers, name).value_or(std::string_view());
}
std::vector<std::string_view> FindAll(const HeaderList& headers, std::string_view name);

// A name of RFC 9110 token characters.
bool IsFieldName(std::string_view name);
// No control characters but tab: nothing that ends the line.
bool IsFieldValue(std::string_view value);

// Names whose values identify the caller to one origin and must not reach another: Authorization,
// Cookie, Cookie2, Proxy-Authorization, WWW-Authenticate, and X-... or others that name a token,
// key, secret, signature, password, credential or session.
bool IsCredential(std::string_view name);

}  // namespace dragonfly::common::http
