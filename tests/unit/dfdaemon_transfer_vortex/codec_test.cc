#include "dfdaemon/transfer/vortex/codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "common/status/reason.h"

namespace dragonfly::dfdaemon::transfer::vortex {
namespace {

using common::id::TaskKey;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::ReasonOf;

std::string Hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::byte b : bytes) {
    out.push_back(kDigits[std::to_integer<size_t>(b) >> 4]);
    out.push_back(kDigits[std::to_integer<size_t>(b) & 15]);
  }
  return out;
}

std::vector<std::byte> FromHex(std::string_view hex) {
  std::vector<std::byte> out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

Request RequestOf(TaskKind kind, uint32_t number, uint8_t packet_id = 0x2a) {
  Request request;
  request.packet_id = packet_id;
  request.key.kind = kind;
  request.key.id = std::string(64, 'a');
  request.number = number;
  return request;
}

Metadata WorkedMetadata() {
  Metadata metadata;
  metadata.number = 7;
  metadata.offset = 29360128;
  metadata.length = 4194304;
  metadata.crc32 = 222957957;
  metadata.parent_id = "10.0.0.1-host-a-0b8f";
  metadata.cost_seconds = 3;
  metadata.created_at_unix = 1756166400;
  return metadata;
}

Header HeaderOf(std::span<const std::byte> packet) {
  return DecodeHeader(packet.first<kHeaderBytes>());
}

std::span<const std::byte> MetadataOf(std::span<const std::byte> packet) {
  return packet.subspan(kHeaderBytes + kMetadataLengthBytes);
}

// A metadata by hand, so that every field can lie.
std::vector<std::byte> RawMetadata(uint32_t digest_length, std::string_view digest,
                                   uint32_t parent_length, std::string_view parent) {
  std::vector<std::byte> out(20);
  const auto put = [&out](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<std::byte>((value >> shift) & 0xff));
  };
  const auto text = [&out](std::string_view s) {
    for (char c : s) out.push_back(static_cast<std::byte>(c));
  };
  put(digest_length);
  text(digest);
  put(parent_length);
  text(parent);
  out.resize(out.size() + 17);
  return out;
}

TEST(VortexCodec, EncodesTheWorkedRequest) {
  const auto bytes = EncodeRequest(RequestOf(TaskKind::kStandard, 7));
  ASSERT_TRUE(bytes.ok());
  std::string id;
  for (int i = 0; i < 64; ++i) id += "61";
  EXPECT_EQ(Hex(*bytes), "2a0000000044" + id + "00000007");
}

TEST(VortexCodec, EncodesTheWorkedReply) {
  const std::vector<std::byte> bytes =
      EncodeContentHead(0x2b, TaskKind::kStandard, WorkedMetadata());
  EXPECT_EQ(Hex(bytes),
            "2b0100000054"
            "00000050"
            "00000007"
            "0000000001c00000"
            "0000000000400000"
            "0000000f63726333323a323232393537393537"
            "0000001431302e302e302e312d686f73742d612d30623866"
            "01"
            "0000000000000003"
            "0000000068acf900");
}

TEST(VortexCodec, DecodesTheWorkedReply) {
  const std::vector<std::byte> bytes = FromHex(
      "2b0100000054000000500000000700000000"
      "01c0000000000000004000000000000f63726333323a323232393537393537"
      "0000001431302e302e302e312d686f73742d612d3062386601000000000000000300000000"
      "68acf900");
  const Header header = HeaderOf(bytes);
  EXPECT_EQ(header.packet_id, 0x2b);
  EXPECT_TRUE(header.Is(Tag::kPieceContent));
  EXPECT_EQ(header.length, 0x54u);
  const auto length =
      DecodeMetadataLength(std::span(bytes).subspan(kHeaderBytes).first<kMetadataLengthBytes>());
  ASSERT_TRUE(length.ok());
  EXPECT_EQ(*length, 80u);
  const auto metadata = DecodeMetadata(MetadataOf(bytes), kDefaultMaxPieceBytes);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(*metadata, WorkedMetadata());
}

TEST(VortexCodec, EncodesAndDecodesTheWorkedError) {
  const std::vector<std::byte> bytes =
      EncodeError(0x2c, ErrorCode::kNotFound, "piece aaa-7 not found");
  EXPECT_EQ(Hex(bytes).substr(0, 14), "2cff0000001602");
  const auto error = DecodeError(std::span(bytes).subspan(kHeaderBytes));
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_EQ(error->message, "piece aaa-7 not found");
}

TEST(VortexCodec, CountsMetadataAsTheUpstreamCrateDoes) {
  // Digest of 14 and parent id of 13 characters: 72 bytes.
  Metadata metadata;
  metadata.crc32 = 12345678;
  metadata.parent_id = "parent-id-013";
  const std::vector<std::byte> bytes = EncodeContentHead(0, TaskKind::kStandard, metadata);
  EXPECT_EQ(bytes.size(), kHeaderBytes + 4 + 72);
  EXPECT_EQ(HeaderOf(bytes).length, 76u);
}

TEST(VortexCodec, AsksAndAnswersWithTheTagsOfTheKind) {
  const std::pair<TaskKind, uint8_t> rows[] = {
      {TaskKind::kStandard, 0}, {TaskKind::kPersistent, 2}, {TaskKind::kPersistentCache, 4}};
  for (const auto& [kind, tag] : rows) {
    const auto request = EncodeRequest(RequestOf(kind, 1));
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(HeaderOf(*request).tag, tag);
    EXPECT_EQ(HeaderOf(EncodeContentHead(0, kind, Metadata())).tag, tag + 1);
    EXPECT_EQ(KindOfRequest(tag), kind);
    EXPECT_EQ(KindOfRequest(static_cast<uint8_t>(tag + 1)), std::nullopt);
  }
}

TEST(VortexCodec, RequestsComeBackAsTheyWere) {
  for (TaskKind kind : common::id::kAllTaskKinds) {
    for (uint32_t number : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      const Request request = RequestOf(kind, number);
      const auto bytes = EncodeRequest(request);
      ASSERT_TRUE(bytes.ok());
      const auto back = DecodeRequest(
          HeaderOf(*bytes),
          std::span<const std::byte>(*bytes).subspan<kHeaderBytes, kRequestValueBytes>());
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(*back, request);
    }
  }
}

TEST(VortexCodec, RefusesToAskForAnIdOfAnotherLength) {
  for (size_t length : {0u, 14u, 63u, 65u, 132u}) {
    Request request = RequestOf(TaskKind::kStandard, 0);
    request.key.id = std::string(length, 'a');
    const auto bytes = EncodeRequest(request);
    ASSERT_FALSE(bytes.ok());
    EXPECT_EQ(ReasonOf(bytes.status()), ErrorReason::kInvalidArgument);
  }
}

TEST(VortexCodec, AcceptsNoDigestAndDigestsOfOneToTenDigits) {
  const std::pair<std::string_view, std::optional<uint32_t>> rows[] = {
      {"", std::nullopt},
      {"crc32:0", 0},
      {"crc32:7", 7},
      {"crc32:0000000007", 7},
      {"crc32:4294967295", 4294967295u}};
  for (const auto& [digest, value] : rows) {
    const auto metadata =
        DecodeMetadata(RawMetadata(static_cast<uint32_t>(digest.size()), digest, 0, ""), 1);
    ASSERT_TRUE(metadata.ok()) << digest;
    EXPECT_EQ(metadata->crc32, value) << digest;
  }
}

TEST(VortexCodec, RefusesEveryOtherDigest) {
  for (std::string_view digest :
       {"crc32:", "crc32:4294967296", "crc32:00000000007", "crc32:-1", "crc32:1a", "crc32: 1",
        "CRC32:1", "crc32c:1", "sha256:00", "1", "crc32:1 "}) {
    const auto metadata =
        DecodeMetadata(RawMetadata(static_cast<uint32_t>(digest.size()), digest, 0, ""), 1);
    EXPECT_EQ(ReasonOf(metadata.status()), ErrorReason::kParentProtocol) << digest;
  }
}

TEST(VortexCodec, RefusesParentIdsThatAreNoPrintableUtf8) {
  for (std::string_view parent :
       {"a\nb", "\x1b[31m", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82"}) {
    const auto metadata =
        DecodeMetadata(RawMetadata(0, "", static_cast<uint32_t>(parent.size()), parent), 1);
    EXPECT_FALSE(metadata.ok()) << parent;
  }
  const std::string_view fine = "hôte-日本-1";
  EXPECT_TRUE(DecodeMetadata(RawMetadata(0, "", static_cast<uint32_t>(fine.size()), fine), 1).ok());
}

TEST(VortexCodec, LeavesOutAParentIdThatWouldNotFit) {
  Metadata metadata = WorkedMetadata();
  metadata.parent_id = std::string(kMaxMetadataBytes, 'p');
  const std::vector<std::byte> bytes = EncodeContentHead(1, TaskKind::kStandard, metadata);
  const auto back = DecodeMetadata(MetadataOf(bytes), kDefaultMaxPieceBytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->parent_id, "");
  EXPECT_EQ(back->crc32, metadata.crc32);
}

TEST(VortexCodec, MakesErrorMessagesFitForALog) {
  const std::vector<std::byte> bytes =
      EncodeError(1, static_cast<ErrorCode>(99), "a\r\n\x1b[2Jb\xff");
  const auto error = DecodeError(std::span(bytes).subspan(kHeaderBytes));
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, ErrorCode::kUnknown);
  EXPECT_EQ(error->message, "a???[2Jb?");
}

TEST(VortexCodec, ReadsAnErrorWithoutMessage) {
  const std::byte code[] = {std::byte{3}};
  const auto error = DecodeError(code);
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, ErrorCode::kInternal);
  EXPECT_EQ(error->message, "");
}

TEST(VortexCodec, TellsTheKeepalivePrefaceFromAnUpstreamClose) {
  const std::vector<std::byte> preface = EncodeKeepalivePreface(9);
  EXPECT_TRUE(IsKeepalivePrefaceHeader(HeaderOf(preface)));
  EXPECT_EQ(preface.size(), kHeaderBytes + kKeepalivePreface.size());
  Header close;
  close.tag = static_cast<uint8_t>(Tag::kClose);
  EXPECT_FALSE(IsKeepalivePrefaceHeader(close));
}

TEST(VortexCodec, Sec_D29_RequestValueIsExactly68Bytes) {
  for (uint32_t length : {0u, 1u, 67u, 69u, 4096u, 4097u, 0xffffffffu}) {
    for (Tag tag :
         {Tag::kDownloadPiece, Tag::kDownloadPersistentPiece, Tag::kDownloadPersistentCachePiece}) {
      Header header;
      header.tag = static_cast<uint8_t>(tag);
      header.length = length;
      EXPECT_FALSE(CheckRequestHeader(header).ok()) << length;
    }
  }
  Header header;
  header.length = 68;
  EXPECT_TRUE(CheckRequestHeader(header).ok());
}

TEST(VortexCodec, Sec_D29_OnlyTheThreeRequestTagsAreServed) {
  for (int tag = 0; tag < 256; ++tag) {
    Header header;
    header.tag = static_cast<uint8_t>(tag);
    header.length = kRequestValueBytes;
    EXPECT_EQ(CheckRequestHeader(header).ok(), tag == 0 || tag == 2 || tag == 4) << tag;
  }
}

TEST(VortexCodec, Sec_D29_MetadataLengthIsBounded) {
  const auto decode = [](uint32_t value) {
    std::array<std::byte, 4> bytes{};
    for (size_t i = 0; i < 4; ++i)
      bytes[i] = static_cast<std::byte>((value >> (24 - 8 * i)) & 0xff);
    return DecodeMetadataLength(bytes);
  };
  for (uint32_t bad : {0u, 44u, kMaxMetadataBytes + 1, 0x7fffffffu, 0xffffffffu})
    EXPECT_FALSE(decode(bad).ok()) << bad;
  for (uint32_t good : {45u, 80u, kMaxMetadataBytes}) EXPECT_TRUE(decode(good).ok()) << good;
}

TEST(VortexCodec, Sec_D29_ErrorLengthIsBounded) {
  for (uint32_t bad : {0u, kMaxErrorBytes + 1, 0xffffffffu})
    EXPECT_FALSE(CheckErrorLength(bad).ok());
  for (uint32_t good : {1u, kMaxErrorBytes}) EXPECT_TRUE(CheckErrorLength(good).ok());
  const std::vector<std::byte> bytes =
      EncodeError(1, ErrorCode::kInternal, std::string(2 * kMaxErrorBytes, 'x'));
  EXPECT_EQ(HeaderOf(bytes).length, kMaxErrorBytes);
}

TEST(VortexCodec, Sec_D29_PieceLengthIsBoundedByConfigurationAndByTheAbsoluteMaximum) {
  const auto decode = [](uint64_t length, uint64_t max) {
    Metadata metadata = WorkedMetadata();
    metadata.offset = 0;
    metadata.length = length;
    return DecodeMetadata(MetadataOf(EncodeContentHead(0, TaskKind::kStandard, metadata)), max)
        .ok();
  };
  EXPECT_TRUE(decode(kDefaultMaxPieceBytes, kDefaultMaxPieceBytes));
  EXPECT_FALSE(decode(kDefaultMaxPieceBytes + 1, kDefaultMaxPieceBytes));
  constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  EXPECT_TRUE(decode(kAbsoluteMaxPieceBytes, kNone));
  EXPECT_FALSE(decode(kAbsoluteMaxPieceBytes + 1, kNone));
  EXPECT_FALSE(decode(kNone, kNone));
}

TEST(VortexCodec, Sec_B19_OffsetsKeep64BitsAndMayNotOverflow) {
  for (uint64_t offset :
       {(uint64_t{1} << 32) - 1, uint64_t{1} << 32, (uint64_t{1} << 32) + 1,
        (uint64_t{1} << 31) - 1, uint64_t{1} << 31, (uint64_t{1} << 63) - 1 - 4194304}) {
    Metadata metadata = WorkedMetadata();
    metadata.offset = offset;
    const auto back = DecodeMetadata(
        MetadataOf(EncodeContentHead(0, TaskKind::kStandard, metadata)), kDefaultMaxPieceBytes);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->offset, offset);
  }
  Metadata metadata = WorkedMetadata();
  metadata.offset = std::numeric_limits<uint64_t>::max() - 1;
  EXPECT_FALSE(DecodeMetadata(MetadataOf(EncodeContentHead(0, TaskKind::kStandard, metadata)),
                              kDefaultMaxPieceBytes)
                   .ok());
}

TEST(VortexCodec, Sec_D29_InnerLengthsMustAddUp) {
  const std::string digest = "crc32:1";
  const auto decode = [&](uint32_t digest_length, uint32_t parent_length) {
    return DecodeMetadata(RawMetadata(digest_length, digest, parent_length, "p"), 1).ok();
  };
  EXPECT_TRUE(decode(7, 1));
  for (uint32_t lie : {0u, 6u, 8u, 4096u, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    EXPECT_FALSE(decode(lie, 1)) << lie;
    EXPECT_FALSE(decode(7, lie == 0 ? 2 : lie)) << lie;
  }
}

TEST(VortexCodec, Sec_D29_TaskIdsWithBytesOutsideAsciiAreRefused) {
  for (char c : {'\0', '\n', ' ', '\x7f', '\x80', '\xff'}) {
    Request request = RequestOf(TaskKind::kStandard, 0);
    request.key.id[10] = c;
    const auto bytes = EncodeRequest(request);
    ASSERT_TRUE(bytes.ok());
    EXPECT_FALSE(DecodeRequest(
                     HeaderOf(*bytes),
                     std::span<const std::byte>(*bytes).subspan<kHeaderBytes, kRequestValueBytes>())
                     .ok());
  }
}

// Mutates valid packets at random: whatever the parsers accept must be within the limits and,
// encoded again, be understood the same way.
TEST(VortexCodec, MutatedPacketsAreRefusedOrUnderstood) {
  std::mt19937_64 random(20250821);
  int accepted = 0;
  for (int round = 0; round < 200000; ++round) {
    Metadata metadata = WorkedMetadata();
    if (random() % 4 == 0) metadata.crc32.reset();
    if (random() % 4 == 0) metadata.parent_id.clear();
    std::vector<std::byte> bytes = EncodeContentHead(0, TaskKind::kStandard, metadata);
    bytes.erase(bytes.begin(), bytes.begin() + kHeaderBytes + kMetadataLengthBytes);
    for (uint64_t i = random() % 4; i > 0; --i)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (random() % 8 == 0) bytes.resize(random() % 128);
    const auto decoded = DecodeMetadata(bytes, kDefaultMaxPieceBytes);
    if (!decoded.ok()) {
      ASSERT_EQ(ReasonOf(decoded.status()), ErrorReason::kParentProtocol);
      continue;
    }
    ++accepted;
    ASSERT_LE(decoded->length, kDefaultMaxPieceBytes);
    const auto again = DecodeMetadata(
        MetadataOf(EncodeContentHead(0, TaskKind::kStandard, *decoded)), kDefaultMaxPieceBytes);
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(*again, *decoded) << "round " << round;
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::vortex
