#include "common/digest/crc32.h"

#include <isa-l/crc.h>
#include <zlib.h>

namespace dragonfly::common::digest {

uint32_t Crc32(std::span<const std::byte> data, uint32_t crc) {
  if (data.empty()) return crc;  // the assembly would be handed a null pointer
  return crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(data.data()), data.size());
}

uint32_t Crc32(std::string_view data, uint32_t crc) {
  return Crc32(std::as_bytes(std::span(data.data(), data.size())), crc);
}

uint32_t Crc32Combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  // zlib's length is signed; no content has 2^63 bytes.
  return static_cast<uint32_t>(
      crc32_combine64(crc_a, crc_b, static_cast<z_off64_t>(length_b & INT64_MAX)));
}

}  // namespace dragonfly::common::digest
