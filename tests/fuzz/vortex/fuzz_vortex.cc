// Vortex packets: what decodes encodes to the same bytes again.

#include <algorithm>

#include "dfdaemon/transfer/vortex/codec.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace vortex = dfdaemon::transfer::vortex;
using Bytes = std::span<const std::byte>;

// A packet that was read from the front of `bytes` and has been written again.
void CheckSameBytes(Bytes bytes, Bytes written) {
  FUZZ_CHECK(written.size() <= bytes.size());
  FUZZ_CHECK(std::ranges::equal(bytes.first(written.size()), written));
}

void TryRequest(const vortex::Header& header, Bytes packet) {
  const bool announced = vortex::CheckRequestHeader(header).ok();
  FUZZ_CHECK(!announced || header.length == vortex::kRequestValueBytes);
  if (packet.size() < vortex::kRequestBytes) return;
  const auto request = vortex::DecodeRequest(
      header, packet.subspan(vortex::kHeaderBytes).first<vortex::kRequestValueBytes>());
  FUZZ_CHECK(announced || !request.ok());
  if (!request.ok()) return;
  const auto written = vortex::EncodeRequest(*request);
  FUZZ_CHECK(written.ok());
  CheckSameBytes(packet, *written);
}

void TryContent(const vortex::Header& header, Bytes packet) {
  const auto kind =
      header.tag == 0 ? std::nullopt : vortex::KindOfRequest(static_cast<uint8_t>(header.tag - 1));
  Bytes rest = packet.subspan(vortex::kHeaderBytes);
  if (!kind || rest.size() < vortex::kMetadataLengthBytes) return;
  const auto length = vortex::DecodeMetadataLength(rest.first<vortex::kMetadataLengthBytes>());
  if (!length.ok()) return;
  FUZZ_CHECK(*length >= vortex::kMinMetadataBytes && *length <= vortex::kMaxMetadataBytes);
  rest = rest.subspan(vortex::kMetadataLengthBytes);
  if (rest.size() < *length) return;
  const auto metadata = vortex::DecodeMetadata(rest.first(*length), vortex::kDefaultMaxPieceBytes);
  if (!metadata.ok()) return;
  FUZZ_CHECK(metadata->length <= vortex::kDefaultMaxPieceBytes);
  FUZZ_CHECK(metadata->offset + metadata->length >= metadata->offset);
  const auto written = vortex::EncodeContentHead(header.packet_id, *kind, *metadata);
  const Bytes fields = Bytes(written).subspan(vortex::kHeaderBytes + vortex::kMetadataLengthBytes);
  // Zeros in front of a crc32, and parent ids so long that no upstream node has them, are not
  // written again.
  if (fields.size() == *length) {
    FUZZ_CHECK(std::ranges::equal(fields, rest.first(*length)));
  } else {
    FUZZ_CHECK(fields.size() < *length);
    auto again = vortex::DecodeMetadata(fields, vortex::kDefaultMaxPieceBytes);
    FUZZ_CHECK(again.ok());
    if (again->parent_id.empty()) again->parent_id = metadata->parent_id;
    FUZZ_CHECK(*again == *metadata);
  }
}

void TryError(const vortex::Header& header, Bytes packet) {
  const Bytes value = packet.subspan(vortex::kHeaderBytes);
  const auto error = vortex::DecodeError(value);
  FUZZ_CHECK(error.ok() == (!value.empty() && value.size() <= vortex::kMaxErrorBytes));
  if (!error.ok()) return;
  const auto written = vortex::EncodeError(header.packet_id, error->code, error->message);
  const auto again = vortex::DecodeError(Bytes(written).subspan(vortex::kHeaderBytes));
  FUZZ_CHECK(again.ok() && *again == *error);
  // Each replaced byte is one '?', so nothing moves.
  FUZZ_CHECK(written.size() == packet.size());
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace vortex = dragonfly::fuzz::vortex;
  using namespace dragonfly::fuzz;
  const Bytes packet = BytesOf(TextOf(data, size));
  if (packet.size() < vortex::kHeaderBytes) return 0;
  const vortex::Header header = vortex::DecodeHeader(packet.first<vortex::kHeaderBytes>());
  CheckSameBytes(packet, vortex::EncodeHeader(header));
  if (vortex::IsKeepalivePrefaceHeader(header)) {
    const auto preface = vortex::EncodeKeepalivePreface(header.packet_id);
    CheckSameBytes(packet, Bytes(preface).first(vortex::kHeaderBytes));
  }
  TryRequest(header, packet);
  TryContent(header, packet);
  TryError(header, packet);
  return 0;
}
