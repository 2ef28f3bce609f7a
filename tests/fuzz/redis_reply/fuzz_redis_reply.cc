// Replies of Redis: however the bytes are cut, the same replies come out of them, and memory is
// bounded by what was fed.

#include <vector>

#include "common/redis/reply.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace redis = common::redis;

size_t SizeOf(const redis::Reply& reply) {
  size_t size = 1 + reply.text.size();
  for (const redis::Reply& one : reply.array) size += SizeOf(one);
  return size;
}

// Sizes of the replies; a 0 at the end stands for a broken stream.
std::vector<size_t> ReadAll(std::string_view bytes, size_t step) {
  redis::ReplyReader reader(size_t{1} << 16U);
  std::vector<size_t> out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Feed(BytesOf(bytes.substr(at, step)));
    while (true) {
      const auto reply = reader.Next();
      if (!reply.ok()) {
        out.push_back(0);
        return out;
      }
      if (!reply->has_value()) break;
      out.push_back(SizeOf(**reply));
      if ((*reply)->type == redis::Reply::Type::kError) {
        FUZZ_CHECK(!redis::StatusOfError((*reply)->text).ok());
      }
    }
  }
  return out;
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const std::string_view text = TextOf(data, size);
  FUZZ_CHECK(ReadAll(text, std::max<size_t>(size, 1)) == ReadAll(text, 1));
  return 0;
}
