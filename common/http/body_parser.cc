#include "common/http/body_parser.h"

#include <algorithm>

#include "common/http/headers.h"

namespace dragonfly::common::http {
namespace {

// Of 64 bits. More are zeros in front, which nobody needs.
constexpr int kMaxSizeDigits = 16;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

BodyParser::BodyParser(const RequestHead& head, size_t max_body_bytes, size_t max_overhead_bytes)
    : max_body_bytes_(max_body_bytes),
      overhead_left_(max_overhead_bytes),
      state_(head.chunked ? State::kSize : State::kLength),
      left_(head.content_length) {
  if (head.chunked) return;
  if (left_ > max_body_bytes) refused_ = 413;
  if (left_ == 0) state_ = State::kDone;
}

size_t BodyParser::Put(std::string_view data) {
  size_t used = 0;
  while (used < data.size() && !done() && refused_ == 0) {
    const std::string_view rest = data.substr(used);
    if (state_ == State::kLength) {
      used += PutData(rest, State::kDone);
    } else if (state_ == State::kData) {
      used += PutData(rest, State::kDataCr);
    } else {
      PutByte(rest.front());
      ++used;
    }
  }
  return used;
}

size_t BodyParser::PutData(std::string_view data, State next) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, data.size()));
  body_.append(data.substr(0, size));
  left_ -= size;
  if (left_ == 0) state_ = next;
  return size;
}

void BodyParser::PutByte(char byte) {
  switch (state_) {
    case State::kSize: {
      const int value = HexValue(byte);
      if (value < 0) return EndSize(byte);
      if (++digits_ > kMaxSizeDigits) refused_ = 400;
      left_ = (left_ << 4U) + static_cast<uint64_t>(value);
      return;
    }
    case State::kPadding:
      if (byte != ';' && !IsBlank(byte)) refused_ = 400;
      if (byte == ';') state_ = State::kExtension;
      (void)CountOverhead();
      return;
    case State::kExtension:
    case State::kQuoted:
    case State::kEscaped:
      return InExtension(byte);
    case State::kSizeLf:
      Expect(byte, '\n', last_ ? State::kTrailer : State::kData);
      return;
    case State::kDataCr:
      Expect(byte, '\r', State::kDataLf);
      return;
    case State::kDataLf:
      Expect(byte, '\n', State::kSize);
      digits_ = 0;
      return;
    case State::kTrailer:
      if (byte == '\r') {
        state_ = State::kTrailerLf;
      } else if (CountOverhead()) {
        trailer_ += byte;
      }
      return;
    case State::kTrailerLf:
      if (byte != '\n') refused_ = 400;
      EndTrailer();
      return;
    case State::kLength:
    case State::kData:
    case State::kDone:
      return;  // not a byte at a time
  }
}

// `byte`: the first behind the digits of a chunk's size.
void BodyParser::EndSize(char byte) {
  last_ = left_ == 0;
  if (digits_ == 0) {
    refused_ = 400;
  } else if (left_ > max_body_bytes_ - body_.size()) {
    refused_ = 413;
  } else if (byte == '\r') {
    state_ = State::kSizeLf;
  } else {
    state_ = State::kPadding;
    PutByte(byte);
  }
}

void BodyParser::InExtension(char byte) {
  if (state_ == State::kExtension && byte == '\r') {
    state_ = State::kSizeLf;
    return;
  }
  // Neither controls nor, in a quotation, the end of the line.
  if (!IsFieldValue(std::string_view(&byte, 1))) refused_ = 400;
  if (state_ == State::kEscaped) {
    state_ = State::kQuoted;
  } else if (byte == '"') {
    state_ = state_ == State::kQuoted ? State::kExtension : State::kQuoted;
  } else if (byte == '\\' && state_ == State::kQuoted) {
    state_ = State::kEscaped;
  }
  (void)CountOverhead();
}

void BodyParser::EndTrailer() {
  state_ = trailer_.empty() ? State::kDone : State::kTrailer;
  if (trailer_.empty() || refused_ != 0) return;
  const std::string_view line(trailer_);
  const size_t colon = std::min(line.find(':'), line.size());
  if (colon == line.size() || !IsFieldName(line.substr(0, colon)) ||
      !IsFieldValue(TrimBlanks(line.substr(colon + 1)))) {
    refused_ = 400;
  }
  trailer_.clear();
}

void BodyParser::Expect(char byte, char wanted, State next) {
  state_ = next;
  if (byte != wanted) refused_ = 400;
}

bool BodyParser::CountOverhead() {
  if (overhead_left_ == 0) {
    refused_ = 400;
    return false;
  }
  --overhead_left_;
  return true;
}

}  // namespace dragonfly::common::http
