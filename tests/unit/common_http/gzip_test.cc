#include "common/http/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace dragonfly::common::http {
namespace {

std::string Unzip(std::string packed, size_t size) {
  std::string out(size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(GzipTest, PacksWhatGetsSmaller) {
  for (const size_t size : {100U, 5'000U, 3'000'000U}) {
    std::string text;
    while (text.size() < size) text += "line " + std::to_string(text.size() % 97) + "\n";
    const auto packed = Gzip(text);
    ASSERT_TRUE(packed.has_value()) << size;
    EXPECT_LT(packed->size(), text.size());
    EXPECT_EQ(Unzip(*packed, text.size()), text);
  }
  EXPECT_FALSE(Gzip("").has_value());
  EXPECT_FALSE(Gzip("abc").has_value());
}

TEST(GzipTest, ReadsWhatAClientTakes) {
  const auto accepts = [](const char* value) { return AcceptsGzip({{"accept-encoding", value}}); };
  for (const char* yes : {"gzip", "br, GZIP", "*", "gzip;q=0.001", "deflate , gzip ; q=1",
                          "identity;q=0, gzip", "*;q=0, gzip"}) {
    EXPECT_TRUE(accepts(yes)) << yes;
  }
  for (const char* no : {"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "xgzip", "gzip;q=0, *"})
    EXPECT_FALSE(accepts(no)) << no;
  EXPECT_FALSE(AcceptsGzip({}));
}

}  // namespace
}  // namespace dragonfly::common::http
