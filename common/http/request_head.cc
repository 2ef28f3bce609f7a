#include "common/http/request_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>

namespace dragonfly::common::http {
namespace {

namespace beast = boost::beast::http;

HeadParse Refused(int status) {
  HeadParse out;
  out.outcome = HeadParse::Outcome::kRefused;
  out.status = status;
  return out;
}

int StatusFor(const boost::system::error_code& error) {
  if (error == beast::error::header_limit) return 431;
  if (error == beast::error::bad_version) return 505;
  return 400;
}

}  // namespace

HeadParse ParseRequestHead(std::string_view data, size_t max_line_bytes, size_t max_header_bytes) {
  // Beast has one limit for the whole head; the line is looked at first.
  const size_t line = data.find('\n');
  if ((line == std::string_view::npos ? data.size() : line) > max_line_bytes) return Refused(414);
  // Beast looks at its limit only when it has a whole field.
  const size_t head_end = data.find("\r\n\r\n");
  if ((head_end == std::string_view::npos ? data.size() : head_end) > max_header_bytes) {
    return Refused(431);
  }

  // Bytes that trickle in are searched for the end, not parsed again and again.
  if (head_end == std::string_view::npos) return HeadParse();

  beast::request_parser<beast::empty_body> parser;
  parser.eager(false);
  parser.header_limit(static_cast<uint32_t>(max_header_bytes));
  boost::system::error_code error;
  size_t consumed = 0;
  while (!parser.is_header_done() && consumed < data.size()) {
    const std::string_view rest = data.substr(consumed);
    const size_t used = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    consumed += used;
    if (error == beast::error::need_more || (!error && used == 0)) return HeadParse();
    if (error) return Refused(StatusFor(error));
  }
  if (!parser.is_header_done()) return HeadParse();

  HeadParse out;
  out.outcome = HeadParse::Outcome::kComplete;
  out.consumed = consumed;
  const auto& message = parser.get();
  const auto method = message.method_string();
  out.head.method.assign(method.data(), method.size());
  const auto target = message.target();
  out.head.path.assign(target.data(), target.size());
  out.head.path.resize(std::min(out.head.path.find('?'), out.head.path.size()));
  out.head.keep_alive = message.keep_alive();
  const auto length = parser.content_length();
  out.head.has_body = parser.chunked() || (length.has_value() && *length > 0);
  return out;
}

}  // namespace dragonfly::common::http
