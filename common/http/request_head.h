#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/http/headers.h"

namespace dragonfly::common::http {

// The head of a request to the server.
struct RequestHead {
  std::string method;
  std::string path;   // the target up to '?', as written
  std::string query;  // what follows it, as written
  HeaderList headers;
  bool keep_alive = true;
  bool has_body = false;
  bool chunked = false;         // the body says itself where it ends
  uint64_t content_length = 0;  // of one that does not
};

struct HeadParse {
  enum class Outcome { kNeedMore, kComplete, kRefused } outcome = Outcome::kNeedMore;
  size_t consumed = 0;  // bytes of a complete head
  int status = 0;       // why it is refused: 400, 414, 431, 505
  RequestHead head;
};

// `data`: everything since the end of the last request. Pure; never throws; any bytes are welcome.
HeadParse ParseRequestHead(std::string_view data, size_t max_line_bytes, size_t max_header_bytes);

}  // namespace dragonfly::common::http
