// Range, Content-Range and the verdict on an origin's answer: a body that is believed begins where
// it was asked to, and its bytes lie within the content.

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "dfdaemon/source/http_answer.h"
#include "dfdaemon/source/http_headers.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace source = dfdaemon::source;
using dfdaemon::core::ByteRange;

// As RFC 9110 writes it.
std::string Written(const source::ContentRange& content_range) {
  std::string text = "bytes ";
  if (content_range.range) {
    absl::StrAppend(&text, content_range.range->start, "-",
                    content_range.range->start + (content_range.range->length - 1));
  } else {
    text += "*";
  }
  absl::StrAppend(&text, "/");
  return content_range.total ? absl::StrCat(text, *content_range.total) : text + "*";
}

void TryContentRange(std::string_view text) {
  const auto parsed = source::ParseContentRange(text);
  if (!parsed.ok()) return;
  FUZZ_CHECK(parsed->range || parsed->total);
  if (parsed->range) {
    FUZZ_CHECK(parsed->range->length > 0);
    const uint64_t last = parsed->range->start + (parsed->range->length - 1);
    FUZZ_CHECK(last >= parsed->range->start && last + 1 != 0);
    FUZZ_CHECK(!parsed->total || last < *parsed->total);
  }
  const auto again = source::ParseContentRange(Written(*parsed));
  FUZZ_CHECK(again.ok() && again->range == parsed->range && again->total == parsed->total);
}

void TryRange(std::string_view text) {
  const auto range = source::ParseRange(text);
  if (!range.ok()) return;
  FUZZ_CHECK(range->length > 0);
  FUZZ_CHECK(range->length <= std::numeric_limits<uint64_t>::max() - range->start);
  const auto again = source::ParseRange(source::RangeText(*range));
  FUZZ_CHECK(again.ok() && *again == *range);
}

void TryRangeText(ByteRange range) {
  const std::string text = source::RangeText(range);
  const std::string open = absl::StrCat("bytes=", range.start, "-");
  FUZZ_CHECK(text.starts_with(open));
  const bool has_end = range.length <= std::numeric_limits<uint64_t>::max() - range.start &&
                       range.length != source::kToTheEnd;
  FUZZ_CHECK(has_end ? text == absl::StrCat(open, range.start + range.length - 1) : text == open);
}

void TryAnswer(FuzzedDataProvider& input, std::optional<ByteRange> range) {
  constexpr int kStatuses[] = {200, 203, 204, 206, 301, 404, 416, 500};
  constexpr std::string_view kNames[] = {
      "Content-Range", "Content-Length",   "ETag",   "Last-Modified", "Transfer-Encoding",
      "Accept-Ranges", "Content-Encoding", "Cookie", "Connection",    "Set-Cookie"};
  source::HttpQuestion question;
  question.range = range;
  question.etag = input.ConsumeRandomLengthString(8);
  source::HttpAnswer answer;
  answer.status = input.PickValueInArray(kStatuses);
  answer.url = "http://origin/file";
  while (input.remaining_bytes() > 0 && answer.headers.size() < 8) {
    std::string name(input.PickValueInArray(kNames));
    answer.headers.emplace_back(std::move(name), input.ConsumeRandomLengthString(40));
  }
  const auto head = source::JudgeAnswer(question, answer);
  const auto body = source::BodyLength(question, answer);
  (void)source::ErrorHeaderJson(answer.headers);
  if (!head.ok()) return;
  FUZZ_CHECK(answer.status < 300);
  FUZZ_CHECK(answer.status != 206 || (range && head->offset == range->start));
  FUZZ_CHECK(answer.status == 206 || head->offset == 0);
  if (body && head->content_length) {
    FUZZ_CHECK(head->offset + *body >= head->offset);
    FUZZ_CHECK(head->offset + *body <= *head->content_length);
  }
  // A body without an end that was asked for is not taken beyond what was asked.
  if (answer.status == 206 && range->length != source::kToTheEnd &&
      range->length <= std::numeric_limits<uint64_t>::max() - range->start) {
    FUZZ_CHECK(body && *body <= range->length);
  }
  for (const auto& [name, value] : head->headers) {
    FUZZ_CHECK(!source::SameHeaderName(name, "Set-Cookie"));
    FUZZ_CHECK(!source::SameHeaderName(name, "Content-Range"));
    FUZZ_CHECK(!source::SameHeaderName(name, "Connection"));
  }
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  TryContentRange(TextOf(data, size));
  TryRange(TextOf(data, size));
  FuzzedDataProvider input(data, size);
  std::optional<ByteRange> range;
  if (input.ConsumeBool()) {
    const auto start = input.ConsumeIntegral<uint64_t>();
    const auto length = input.ConsumeIntegralInRange<uint64_t>(1, source::kToTheEnd);
    range = ByteRange{start, length};
    TryRangeText(*range);
  }
  TryAnswer(input, range);
  return 0;
}
