#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/http/request_head.h"

namespace dragonfly::common::http {

// The body that follows a head, of a given length or in chunks. Pure; never throws; any bytes are
// welcome. What it says of a body does not depend on how the network cut it. A line that somebody
// in front of us may see end elsewhere (a bare CR or LF, a quotation that goes on in the next) is
// refused.
class BodyParser {
 public:
  // `head`: one that ParseRequestHead has found complete, with a body. `max_overhead_bytes`: of
  // extensions and trailers together, which are no part of the body and would have no end.
  BodyParser(const RequestHead& head, size_t max_body_bytes, size_t max_overhead_bytes);
  ~BodyParser();
  BodyParser(const BodyParser&) = delete;
  BodyParser& operator=(const BodyParser&) = delete;

  // How many bytes of `data` were used: all, unless this is done (the rest is the next request's)
  // or refused.
  size_t Put(std::string_view data);
  bool done() const { return refused_ == 0 && done_; }
  // Why it is refused: 413 (longer than allowed), 400; 0: it is not.
  int refused() const { return refused_; }
  std::string Take() { return std::move(body_); }

 private:
  struct Chunks;

  // Both: how many bytes of `data` were used.
  size_t PutData(std::string_view data);
  size_t PutLine(std::string_view data);
  void ParseLines();

  size_t overhead_left_;
  std::unique_ptr<Chunks> chunks_;  // null: the head gives the length
  uint64_t left_ = 0;               // bytes of the body, or of the chunk
  std::string lines_;               // between chunks, not yet understood
  std::string body_;
  bool done_ = false;
  int refused_ = 0;
};

}  // namespace dragonfly::common::http
