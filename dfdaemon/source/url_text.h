#pragma once

#include <string>
#include <string_view>

namespace dragonfly::dfdaemon::source {

// "https" of "HTTPS://host/path"; "" when the text has no scheme.
std::string SchemeOf(std::string_view url);

// The URL as it may appear in messages and logs: without user, password, query and fragment, which
// carry credentials and signatures; at most 512 characters.
std::string PublicUrl(std::string_view url);

// "scheme://host:port" in lower case, the scope of per-origin settings; the default port is left
// out. "" for URLs without a host.
std::string OriginOfUrl(std::string_view url);

}  // namespace dragonfly::dfdaemon::source
