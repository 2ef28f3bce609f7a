#include "common/http/body_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <functional>

namespace dragonfly::common::http {
namespace {

namespace beast = boost::beast::http;
using boost::asio::buffer;
using boost::system::error_code;

// What Beast is told in front of the chunks; ParseRequestHead has judged the real one.
constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

// The end of a chunk and the size of the next, without extensions.
constexpr size_t kMaxSizeLineBytes = 64;
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

constexpr std::string_view kCrlf = "\r\n";

// Whether `lines`, which end with one, are all that Beast wants at once: the end of a chunk
// together with the size of the next, or everything behind the last one. `first`: no chunk was
// before.
bool IsWhole(std::string_view lines, bool first) {
  if (!first && lines == kCrlf) return false;
  if (lines.starts_with(kCrlf)) lines.remove_prefix(kCrlf.size());
  const size_t digits = std::min(lines.find_first_not_of('0'), lines.size());
  const bool last = digits > 0 && lines.substr(digits).find_first_of(kHexDigits) != 0;
  return !last || lines.ends_with("\r\n\r\n");
}

}  // namespace

// Beast's reader of chunks. It is given whole lines, and between them what is in the chunks: handed
// over as it arrives, it would read an extension up to the end of what is there instead of its
// line, and take a chunk off the limit once more whenever it has to wait.
struct BodyParser::Chunks {
  Chunks(uint64_t max_body_bytes, std::string& body) {
    parser.eager(false);
    parser.body_limit(max_body_bytes);
    on_chunk = [this](uint64_t bytes, const auto& extension, error_code&) {
      size = bytes;
      extension_bytes = extension.size();
    };
    on_data = [&body](uint64_t, const auto& data, error_code&) {
      body.append(data.data(), data.size());
      return data.size();
    };
    parser.on_chunk_header(on_chunk);
    parser.on_chunk_body(on_data);
    error_code error;
    parser.put(buffer(kHead.data(), kHead.size()), error);
  }

  beast::request_parser<beast::empty_body> parser;
  std::function<void(uint64_t, boost::beast::string_view, error_code&)> on_chunk;
  std::function<size_t(uint64_t, boost::beast::string_view, error_code&)> on_data;
  uint64_t size = 0;           // of the chunk that begins
  size_t extension_bytes = 0;  // on its line
};

BodyParser::BodyParser(const RequestHead& head, size_t max_body_bytes, size_t max_overhead_bytes)
    : overhead_left_(max_overhead_bytes), left_(head.content_length) {
  if (head.chunked) {
    left_ = 0;
    chunks_ = std::make_unique<Chunks>(max_body_bytes, body_);
    return;
  }
  if (left_ > max_body_bytes) refused_ = 413;
  done_ = left_ == 0;
}

BodyParser::~BodyParser() = default;

size_t BodyParser::Put(std::string_view data) {
  size_t used = 0;
  while (used < data.size() && !done_ && refused_ == 0) {
    const std::string_view rest = data.substr(used);
    used += left_ > 0 ? PutData(rest) : PutLine(rest);
  }
  return used;
}

size_t BodyParser::PutData(std::string_view data) {
  data = data.substr(0, static_cast<size_t>(std::min<uint64_t>(left_, data.size())));
  left_ -= data.size();
  if (chunks_ == nullptr) {
    body_.append(data);
    done_ = left_ == 0;
    return data.size();
  }
  error_code error;
  chunks_->parser.put(buffer(data.data(), data.size()), error);
  if (error) refused_ = 400;
  return data.size();
}

size_t BodyParser::PutLine(std::string_view data) {
  const size_t most = overhead_left_ + kMaxSizeLineBytes;
  const size_t end = std::min(data.find('\n'), data.size() - 1);
  data = data.substr(0, end + 1);
  data = data.substr(0, most + 1 - lines_.size());
  lines_.append(data);
  if (lines_.size() > most) {
    refused_ = 400;
  } else if (lines_.back() == '\n') {
    if (!lines_.ends_with(kCrlf)) {
      refused_ = 400;  // somebody in front of us may see the line end elsewhere
    } else if (IsWhole(lines_, chunks_->size == 0)) {
      ParseLines();
    }
  }
  return data.size();
}

// Beast may want more even so, to see the end of a quotation that a line did not close. It would
// read all of it again for each line that follows.
void BodyParser::ParseLines() {
  error_code error;
  chunks_->parser.put(buffer(lines_.data(), lines_.size()), error);
  if (error) {
    refused_ = error == beast::error::body_limit ? 413 : 400;
    return;
  }
  done_ = chunks_->parser.is_done();
  left_ = done_ ? 0 : chunks_->size;
  const size_t overhead = done_ ? lines_.size() : chunks_->extension_bytes;
  lines_.clear();
  if (overhead > overhead_left_) {
    refused_ = 400;
  } else {
    overhead_left_ -= overhead;
  }
}

}  // namespace dragonfly::common::http
