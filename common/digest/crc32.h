#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace dragonfly::common::digest {

// CRC-32/ISO-HDLC (IEEE 802.3, gzip; reflected 0xEDB88320, initial and final 0xFFFFFFFF). This is
// the checksum of pieces on the wire and of blocks between our own nodes; it is not Castagnoli's.
// Crc32("123456789") == 3421780262.
//
// `crc` is the checksum of what came before `data`: Crc32(b, Crc32(a)) == Crc32(a followed by b).
// About 30 GB/s where the processor multiplies without carry; the implementation is chosen at run
// time.
uint32_t Crc32(std::span<const std::byte> data, uint32_t crc = 0);
uint32_t Crc32(std::string_view data, uint32_t crc = 0);

// The checksum of two adjacent stretches from the checksums of each, in O(log length_b).
uint32_t Crc32Combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

}  // namespace dragonfly::common::digest
