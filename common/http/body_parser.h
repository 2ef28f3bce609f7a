#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/http/request_head.h"

namespace dragonfly::common::http {

// The body that follows a head, of a given length or in chunks. Pure; never throws; any bytes are
// welcome. It decides byte by byte, so what it says of a body does not depend on how the network
// cut it. Extensions of chunks and trailers are read over and dropped; a line that somebody in
// front of us may see end elsewhere (a bare CR or LF, a quotation that is not closed) is refused.
class BodyParser {
 public:
  // `head`: one that ParseRequestHead has found complete, with a body. `max_overhead_bytes`: of
  // extensions and trailers together, which are no part of the body and would have no end.
  BodyParser(const RequestHead& head, size_t max_body_bytes, size_t max_overhead_bytes);

  // How many bytes of `data` were used: all, unless this is done (the rest is the next request's)
  // or refused.
  size_t Put(std::string_view data);
  bool done() const { return refused_ == 0 && state_ == State::kDone; }
  // Why it is refused: 413 (longer than allowed), 400; 0: it is not.
  int refused() const { return refused_; }
  std::string Take() { return std::move(body_); }

 private:
  enum class State {
    kLength,     // of a body whose head gives its length
    kSize,       // in the digits of a chunk's size
    kPadding,    // blanks between them and an extension
    kExtension,  // in one, outside of a quotation
    kQuoted,
    kEscaped,    // behind a backslash in a quotation
    kSizeLf,     // the CR of the line with the size was there
    kData,       // of a chunk
    kDataCr,     // behind it
    kDataLf,     // its CR was there
    kTrailer,    // in a line behind the last chunk, or at its begin
    kTrailerLf,  // its CR was there
    kDone,
  };

  size_t PutData(std::string_view data, State next);
  void PutByte(char byte);
  void EndSize(char byte);
  void InExtension(char byte);
  void EndTrailer();
  void Expect(char byte, char wanted, State next);
  // A byte that is no part of the body; false: there are too many.
  bool CountOverhead();

  const size_t max_body_bytes_;
  size_t overhead_left_;
  State state_;
  uint64_t left_ = 0;  // bytes of the chunk, or of the body
  int digits_ = 0;
  bool last_ = false;    // the chunk without bytes
  std::string trailer_;  // the line so far
  std::string body_;
  int refused_ = 0;
};

}  // namespace dragonfly::common::http
