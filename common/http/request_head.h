#pragma once

#include <cstddef>
#include <memory>
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
};

struct HeadParse {
  enum class Outcome { kNeedMore, kComplete, kRefused } outcome = Outcome::kNeedMore;
  size_t consumed = 0;  // bytes of a complete head
  int status = 0;       // why it is refused: 400, 414, 431, 505
  RequestHead head;
};

// `data`: everything since the end of the last request. Pure; never throws; any bytes are welcome.
HeadParse ParseRequestHead(std::string_view data, size_t max_line_bytes, size_t max_header_bytes);

// The body that follows a head, of a given length or in chunks. Pure; never throws; any bytes are
// welcome.
class BodyParser {
 public:
  // `head`: the bytes of a head that ParseRequestHead has found complete, with a body.
  BodyParser(std::string_view head, size_t max_body_bytes);
  ~BodyParser();
  BodyParser(const BodyParser&) = delete;
  BodyParser& operator=(const BodyParser&) = delete;

  // How many bytes of `data` were used. The rest comes again with more behind it, or is the next
  // request's once this is done.
  size_t Put(std::string_view data);
  bool done() const;
  // Why it is refused: 413 (longer than allowed), 400; 0: it is not.
  int refused() const { return refused_; }
  std::string Take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int refused_ = 0;
};

}  // namespace dragonfly::common::http
