#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/headers.h"

namespace dragonfly::common::http {

// Whether who sent these headers takes gzip: "gzip" or "*" in Accept-Encoding, not with q=0.
bool AcceptsGzip(const HeaderList& headers);

// `data` as one gzip member, at zlib's fastest level. Nothing: it did not get smaller.
std::optional<std::string> Gzip(std::string_view data);

}  // namespace dragonfly::common::http
