#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>

// What every fuzz target says: that something always holds. The fuzzer takes the abort for a crash
// and keeps the input.
#define FUZZ_CHECK(condition)                                                             \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

namespace dragonfly::fuzz {

inline std::string_view TextOf(const uint8_t* data, size_t size) {
  // An empty input may come as a null pointer.
  return size == 0
             ? std::string_view()
             : std::string_view(static_cast<const char*>(static_cast<const void*>(data)), size);
}

// An input of two lines; the second has whatever follows the first.
inline std::pair<std::string_view, std::string_view> LinesOf(const uint8_t* data, size_t size) {
  const std::string_view text = TextOf(data, size);
  const size_t line = std::min(text.find('\n'), text.size());
  return {text.substr(0, line), text.substr(std::min(line + 1, text.size()))};
}

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

}  // namespace dragonfly::fuzz
