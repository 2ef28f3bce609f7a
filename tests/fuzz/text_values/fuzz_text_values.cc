// Texts that stand for one value: digests, byte sizes, lengths of time, numbers. What is read can
// be written, and is then read as the same.

#include <algorithm>

#include "common/digest/digest.h"
#include "common/status/parse.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::digest::Algorithm;
using common::digest::Digest;

void TryDigest(std::string_view text) {
  const auto digest = Digest::Parse(text);
  if (!digest.ok()) return;
  const std::string written = digest->ToString();
  const auto again = Digest::Parse(written);
  FUZZ_CHECK(again.ok() && *again == *digest && again->ToString() == written);
  FUZZ_CHECK(written.starts_with(common::digest::AlgorithmName(digest->algorithm)));
  if (digest->algorithm == Algorithm::kCrc32) {
    FUZZ_CHECK(Digest::FromCrc32(digest->crc32()) == *digest);
    FUZZ_CHECK(written.size() <= text.size());
    return;
  }
  // Nothing but the case of letters may differ.
  FUZZ_CHECK(std::ranges::equal(text, written, [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'F' && a - 'A' + 'a' == b);
  }));
}

void TryQuantities(std::string_view text) {
  if (const auto size = common::status::ParseByteSize(text); size.ok()) {
    const auto again = common::status::ParseByteSize(common::status::ByteSizeText(*size));
    FUZZ_CHECK(again.ok() && *again == *size);
  }
  if (const auto length = common::status::ParseDuration(text); length.ok()) {
    FUZZ_CHECK(*length >= absl::ZeroDuration());
    const auto again = common::status::ParseDuration(common::status::DurationText(*length));
    FUZZ_CHECK(again.ok());
    FUZZ_CHECK(*again == *length);
  }
  if (const auto number = common::status::ParseInteger<uint32_t>(text)) {
    FUZZ_CHECK(common::status::ParseInteger<uint64_t>(text) == *number);
    FUZZ_CHECK(text.front() == '0' || std::to_string(*number) == text);
  }
  if (const auto number = common::status::ParseDouble(text))
    FUZZ_CHECK(*number - *number == 0);  // finite
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = dragonfly::fuzz::TextOf(data, size);
  dragonfly::fuzz::TryDigest(text);
  dragonfly::fuzz::TryQuantities(text);
  return 0;
}
