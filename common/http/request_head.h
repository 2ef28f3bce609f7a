#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dragonfly::common::http {

// The head of a request to the small server.
struct RequestHead {
  std::string method;
  std::string path;  // the target up to '?'
  bool keep_alive = true;
  bool has_body = false;
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
