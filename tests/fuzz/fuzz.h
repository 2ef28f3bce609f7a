#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

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

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

}  // namespace dragonfly::fuzz
