// Heads and bodies of HTTP requests: however the same bytes are cut, the same is read, and what is
// read cannot be understood in two ways.

#include "common/http/body_parser.h"
#include "common/http/headers.h"
#include "common/http/request_head.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::http::BodyParser;
using common::http::HeadParse;
using Outcome = HeadParse::Outcome;

struct Limits {
  size_t line_bytes;
  size_t header_bytes;
  size_t body_bytes;
};
// Those of the server, and small ones that short inputs reach.
constexpr Limits kLimits[] = {{8192, 65536, size_t{1} << 20U}, {32, 96, 24}};

struct Body {
  bool done = false;
  int refused = 0;
  std::string text;
  size_t used = 0;  // bytes behind the head
};

// `step` bytes arrive at a time.
Body ReadBody(const common::http::RequestHead& head, std::string_view rest, const Limits& limits,
              size_t step) {
  BodyParser parser(head, limits.body_bytes, limits.header_bytes);
  Body body;
  size_t arrived = 0;
  while (!parser.done() && parser.refused() == 0) {
    const size_t used = parser.Put(rest.substr(body.used, arrived - body.used));
    FUZZ_CHECK(used <= arrived - body.used);
    body.used += used;
    FUZZ_CHECK(body.used == arrived || parser.done() || parser.refused() != 0);
    if (arrived == rest.size()) break;
    arrived = std::min(arrived + step, rest.size());
  }
  body.done = parser.done();
  body.refused = parser.refused();
  FUZZ_CHECK(!(body.done && body.refused != 0));
  if (body.done) body.text = parser.Take();
  FUZZ_CHECK(body.text.size() <= limits.body_bytes);
  return body;
}

void CheckHead(const HeadParse& parsed, std::string_view data) {
  FUZZ_CHECK(parsed.consumed <= data.size());
  FUZZ_CHECK(data.substr(0, parsed.consumed).ends_with("\r\n\r\n"));
  FUZZ_CHECK(!parsed.head.method.empty());
  FUZZ_CHECK(parsed.head.path.find('?') == std::string::npos);
  for (const auto& [name, value] : parsed.head.headers) {
    FUZZ_CHECK(common::http::IsFieldName(name));
    FUZZ_CHECK(common::http::IsFieldValue(value));
  }
  // Two ways to tell where a request ends are how one is smuggled behind another.
  const auto lengths = common::http::FindAll(parsed.head.headers, "Content-Length");
  const auto codings = common::http::FindAll(parsed.head.headers, "Transfer-Encoding");
  FUZZ_CHECK(lengths.size() <= 1);
  FUZZ_CHECK(lengths.empty() || codings.empty());
}

bool SameHead(const HeadParse& a, const HeadParse& b) {
  return a.outcome == b.outcome && a.status == b.status && a.consumed == b.consumed &&
         a.head.method == b.head.method && a.head.path == b.head.path &&
         a.head.query == b.head.query && a.head.headers == b.head.headers &&
         a.head.keep_alive == b.head.keep_alive && a.head.has_body == b.head.has_body &&
         a.head.chunked == b.head.chunked && a.head.content_length == b.head.content_length;
}

void TryRequest(std::string_view data, const Limits& limits, size_t step) {
  const HeadParse whole =
      common::http::ParseRequestHead(data, limits.line_bytes, limits.header_bytes);
  if (whole.outcome == Outcome::kComplete) CheckHead(whole, data);
  FUZZ_CHECK((whole.outcome == Outcome::kRefused) == (whole.status >= 400));
  for (size_t size = 0; size < data.size(); size += step) {
    const HeadParse part = common::http::ParseRequestHead(data.substr(0, size), limits.line_bytes,
                                                          limits.header_bytes);
    if (part.outcome == Outcome::kNeedMore) continue;
    // Decided early: the bytes that follow change nothing.
    FUZZ_CHECK(SameHead(part, whole));
    break;
  }
  if (whole.outcome != Outcome::kComplete || !whole.head.has_body) return;
  const std::string_view rest = data.substr(whole.consumed);
  const Body once = ReadBody(whole.head, rest, limits, rest.size());
  const Body cut = ReadBody(whole.head, rest, limits, step);
  FUZZ_CHECK(once.done == cut.done);
  FUZZ_CHECK(once.refused == cut.refused);
  FUZZ_CHECK(once.text == cut.text);
  FUZZ_CHECK(once.used == cut.used);
}

}  // namespace
}  // namespace dragonfly::fuzz

// The first byte chooses the limits and how many bytes arrive at a time.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  if (size == 0) return 0;
  const Limits& limits = kLimits[data[0] & 1U];
  const size_t step = 1 + (data[0] >> 1U) % 16;
  TryRequest(TextOf(data + 1, size - 1), limits, step);
  return 0;
}
