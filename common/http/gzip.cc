#include "common/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "common/http/headers.h"

namespace dragonfly::common::http {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window; 16: a gzip header, not zlib's
constexpr int kMemoryLevel = 8;

// Whether ";q=0.000" is what follows a coding.
bool IsRefused(std::string_view parameters) {
  const size_t equals = parameters.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = Trim(parameters.substr(0, equals));
  const std::string_view value = Trim(parameters.substr(equals + 1));
  return SameName(name, "q") && !value.empty() &&
         value.find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool AcceptsGzip(const HeaderList& headers) {
  bool any = false;
  for (std::string_view list : FindAll(headers, "Accept-Encoding")) {
    while (!list.empty()) {
      const size_t end = std::min(list.find(','), list.size());
      const std::string_view item = list.substr(0, end);
      list.remove_prefix(std::min(end + 1, list.size()));
      const size_t semicolon = std::min(item.find(';'), item.size());
      const std::string_view coding = Trim(item.substr(0, semicolon));
      const bool refused = semicolon < item.size() && IsRefused(item.substr(semicolon + 1));
      if (SameName(coding, "gzip")) return !refused;
      if (coding == "*") any = !refused;
    }
  }
  return any;
}

std::optional<std::string> Gzip(std::string_view data) {
  if (data.empty() || data.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  // What does not fit has not become smaller.
  std::string out(data.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  const size_t size = stream.total_out;
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  out.resize(size);
  return out;
}

}  // namespace dragonfly::common::http
