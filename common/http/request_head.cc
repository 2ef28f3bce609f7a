#include "common/http/request_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <limits>

namespace dragonfly::common::http {
namespace {

namespace beast = boost::beast::http;

constexpr size_t kMaxHeaderFields = 128;

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

bool IsNumber(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

HeadParse ParseRequestHead(std::string_view data, size_t max_line_bytes, size_t max_header_bytes) {
  // Beast has one limit for the whole head; the line is looked at first.
  const size_t line = data.find('\n');
  if ((line == std::string_view::npos ? data.size() : line) > max_line_bytes) return Refused(414);
  // Beast looks at its limit only when it has a whole field.
  const size_t head_end = data.find("\r\n\r\n");
  // Three of the bytes that are here may belong to the end that is still to come.
  const size_t at_least = data.size() - std::min<size_t>(data.size(), 3);
  if ((head_end == std::string_view::npos ? at_least : head_end) > max_header_bytes) {
    return Refused(431);
  }

  // Bytes that trickle in are searched for the end, not parsed again and again.
  if (head_end == std::string_view::npos) return HeadParse();

  beast::request_parser<beast::empty_body> parser;
  parser.eager(false);
  // Its own limit of 1 MiB would make a malformed request of one that is too long; and of none it
  // makes a limit that everything exceeds.
  parser.body_limit(std::numeric_limits<uint64_t>::max());
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
  const std::string_view target(message.target().data(), message.target().size());
  const size_t question = std::min(target.find('?'), target.size());
  out.head.path = target.substr(0, question);
  if (question < target.size()) out.head.query = target.substr(question + 1);
  for (const auto& field : message) {
    if (out.head.headers.size() == kMaxHeaderFields) return Refused(431);
    const auto name = field.name_string();
    const auto value = field.value();
    out.head.headers.emplace_back(std::string(name.data(), name.size()),
                                  std::string(value.data(), value.size()));
  }
  // Beast takes a length that is said twice, in two fields or in one, if it is the same. Whoever is
  // in front of us may not.
  const auto lengths = FindAll(out.head.headers, "Content-Length");
  if (lengths.size() > 1 || (lengths.size() == 1 && !IsNumber(lengths[0]))) return Refused(400);
  // A coding that it does not know it passes over: the body would be taken for what it is not.
  const auto codings = FindAll(out.head.headers, "Transfer-Encoding");
  if (codings.size() > 1 || (codings.size() == 1 && !SameName(codings[0], "chunked"))) {
    return Refused(400);
  }
  // A client of HTTP/1.0 knows no coding: somebody in front of us made the request longer or
  // shorter than it says.
  if (parser.chunked() && message.version() < 11) return Refused(400);
  out.head.keep_alive = message.keep_alive();
  out.head.chunked = parser.chunked();
  out.head.content_length = parser.chunked() ? 0 : parser.content_length().value_or(0);
  out.head.has_body = out.head.chunked || out.head.content_length > 0;
  return out;
}

}  // namespace dragonfly::common::http
