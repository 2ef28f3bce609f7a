#include "dfdaemon/transfer/grpc/piece_message.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "common/status/reason.h"
#include "proto/dfdaemon_v2.pb.h"

namespace dragonfly::dfdaemon::transfer::grpc {
namespace {

using ::dfdaemon::v2::DownloadPieceResponse;

constexpr uint64_t kMost = uint64_t{64} << 20;

PieceHead Head(uint64_t length) {
  PieceHead head;
  head.number = 7;
  head.offset = uint64_t{28} << 20;
  head.length = length;
  head.crc32 = 1929153120;
  head.parent_id = "10.0.0.9-grandparent-1a2b";
  head.cost = absl::Milliseconds(2345);
  head.created_at = absl::FromUnixMillis(1756166400123);
  return head;
}

std::string MessageOf(const PieceHead& head, const std::string& content) {
  const MessageParts parts = EncodePiece(head);
  return parts.before + content + parts.after;
}

// `bytes` reach the decoder in chunks of this size, as slices of a transport do.
absl::StatusOr<MessageLayout> Decode(const std::string& bytes, int chunk = -1,
                                     uint64_t most = kMost) {
  ::google::protobuf::io::ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), chunk);
  return DecodePiece(in, most);
}

DownloadPieceResponse Typed(const std::string& content) {
  DownloadPieceResponse message;
  auto* piece = message.mutable_piece();
  piece->set_number(7);
  piece->set_offset(28 << 20);
  piece->set_length(content.size());
  piece->set_digest("crc32:5");
  piece->set_content(content);
  return message;
}

void ExpectViolation(const absl::StatusOr<MessageLayout>& layout, const std::string& says) {
  EXPECT_EQ(common::status::ReasonOf(layout.status()), common::status::ErrorReason::kParentProtocol)
      << layout.status();
  EXPECT_NE(layout.status().ToString().find(says), std::string::npos) << layout.status();
}

TEST(PieceMessage, IsWhatProtobufWrites) {
  std::vector<PieceHead> heads;
  for (uint64_t length : {0u, 1u, 127u, 128u, 16383u, 16384u, 300000u})
    heads.push_back(Head(length));
  heads.push_back(Head(10));
  heads.back().number = 0;
  heads.back().offset = 0;
  heads.push_back(Head(10));
  heads.back().number = std::numeric_limits<uint32_t>::max();
  heads.back().offset = std::numeric_limits<uint64_t>::max() - 10;
  heads.push_back(Head(10));
  heads.back().crc32.reset();
  heads.back().parent_id.clear();
  heads.push_back(Head(10));
  heads.back().cost = absl::ZeroDuration();
  heads.back().created_at = absl::UnixEpoch();
  for (const PieceHead& head : heads) {
    const std::string content(static_cast<size_t>(head.length), 'x');
    DownloadPieceResponse message;
    auto* piece = message.mutable_piece();
    piece->set_number(head.number);
    if (!head.parent_id.empty()) piece->set_parent_id(head.parent_id);
    piece->set_offset(head.offset);
    piece->set_length(head.length);
    if (head.crc32.has_value()) piece->set_digest("crc32:" + std::to_string(*head.crc32));
    if (!content.empty()) piece->set_content(content);
    const int64_t cost = absl::ToInt64Milliseconds(head.cost);
    piece->mutable_cost()->set_seconds(cost / 1000);
    piece->mutable_cost()->set_nanos(static_cast<int32_t>(cost % 1000) * 1'000'000);
    const int64_t at = absl::ToUnixMillis(head.created_at);
    piece->mutable_created_at()->set_seconds(at / 1000);
    piece->mutable_created_at()->set_nanos(static_cast<int32_t>(at % 1000) * 1'000'000);
    message.set_digest(DigestOfHead(head));
    EXPECT_EQ(MessageOf(head, content), message.SerializeAsString()) << head.length;
  }
}

TEST(PieceMessage, ReadsWhatItWroteWhereverTheSlicesEnd) {
  const PieceHead head = Head(1000);
  const std::string content(1000, 'y');
  const std::string bytes = MessageOf(head, content);
  for (int chunk = 1; chunk < 200; ++chunk) {
    const auto layout = Decode(bytes, chunk);
    ASSERT_TRUE(layout.ok()) << chunk << ": " << layout.status();
    EXPECT_EQ(layout->head.number, head.number);
    EXPECT_EQ(layout->head.offset, head.offset);
    EXPECT_EQ(layout->head.length, head.length);
    EXPECT_EQ(layout->head.crc32, head.crc32);
    EXPECT_EQ(layout->head.parent_id, head.parent_id);
    EXPECT_EQ(layout->head.cost, head.cost);
    EXPECT_EQ(layout->head.created_at, head.created_at);
    EXPECT_EQ(bytes.substr(layout->content_offset, layout->content_bytes), content);
  }
}

TEST(PieceMessage, DigestOfTheHeadIsUpstreams) {
  PieceHead head;
  head.number = 1;
  head.length = 1024;
  head.crc32 = 1929153120;
  EXPECT_EQ(DigestOfHead(head), "crc32:3299754941");
}

TEST(PieceMessage, AcceptsWhatUpstreamsParentsLeaveOut) {
  const auto layout = Decode(Typed("abc").SerializeAsString());
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->content_bytes, 3u);
  EXPECT_EQ(layout->head.cost, absl::ZeroDuration());
  EXPECT_EQ(layout->head.created_at, absl::UnixEpoch());
}

TEST(PieceMessage, PassesOverFieldsThatItDoesNotKnow) {
  DownloadPieceResponse message = Typed("abc");
  message.mutable_piece()->set_traffic_type(::common::v2::REMOTE_PEER);
  message.mutable_piece()
      ->GetReflection()
      ->MutableUnknownFields(message.mutable_piece())
      ->AddLengthDelimited(100, "of a later version");
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(200, 5);
  const auto layout = Decode(message.SerializeAsString());
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->content_bytes, 3u);
}

TEST(PieceMessage, Sec_D30_RefusesWhatContradictsItself) {
  DownloadPieceResponse message = Typed("abc");
  message.mutable_piece()->set_length(4);
  ExpectViolation(Decode(message.SerializeAsString()), "3 bytes of a piece of 4");
  message = Typed("abc");
  message.mutable_piece()->set_length(2);
  ExpectViolation(Decode(message.SerializeAsString()), "3 bytes of a piece of 2");
  message = Typed("abc");
  message.mutable_piece()->set_offset(std::numeric_limits<uint64_t>::max());
  ExpectViolation(Decode(message.SerializeAsString()), "overflow");
  message = Typed("abc");
  message.set_digest("crc32:1");
  ExpectViolation(Decode(message.SerializeAsString()), "checksum of the head");
  message.clear_piece();
  ExpectViolation(Decode(message.SerializeAsString()), "without a piece");
  const std::string twice = Typed("abc").SerializeAsString() + Typed("abc").SerializeAsString();
  ExpectViolation(Decode(twice), "two pieces");
}

TEST(PieceMessage, Sec_D29_RefusesWhatIsOutOfBounds) {
  ExpectViolation(Decode(Typed("abcd").SerializeAsString(), -1, 3), "allowed are at most 3");
  DownloadPieceResponse message = Typed("abc");
  message.mutable_piece()->set_parent_id(std::string(4097, 'p'));
  ExpectViolation(Decode(message.SerializeAsString()), "parent id of 4097 bytes");
  message = Typed("abc");
  message.mutable_piece()->set_parent_id("a\nb");
  ExpectViolation(Decode(message.SerializeAsString()), "printable");
  for (const char* digest : {"crc32:", "crc32:4294967296", "crc32:-1", "md5:12", "crc32:12x"}) {
    message = Typed("abc");
    message.mutable_piece()->set_digest(digest);
    ExpectViolation(Decode(message.SerializeAsString()), "digest");
  }
  message = Typed("abc");
  message.mutable_piece()->set_digest(std::string(100000, 'c'));
  ExpectViolation(Decode(message.SerializeAsString()), "digest of 100000 bytes");
  // A content that claims more than there is.
  ExpectViolation(Decode(std::string("\x0a\x06\x32\xff\xff\xff\xff\x07", 8)), "");
  ExpectViolation(Decode(std::string("\x0a\xff\xff\xff\xff\x0f", 6)), "");
}

TEST(PieceMessage, NoPartOfAMessageIsAMessage) {
  const std::string bytes = MessageOf(Head(100), std::string(100, 'z'));
  const size_t without_digest = bytes.size() - (2 + DigestOfHead(Head(100)).size());
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (size == without_digest) continue;  // the digest is optional
    EXPECT_FALSE(Decode(bytes.substr(0, size)).ok()) << size;
  }
}

TEST(PieceMessage, DamageNeverPointsOutsideTheMessage) {
  const std::string bytes = MessageOf(Head(60), std::string(60, 'z'));
  std::mt19937 random(20240607);
  for (int round = 0; round < 50000; ++round) {
    std::string damaged = bytes;
    for (unsigned i = 0; i <= random() % 4; ++i)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    damaged.resize(damaged.size() - random() % 20);
    const auto layout = Decode(damaged, static_cast<int>(1 + random() % 50));
    if (!layout.ok()) continue;
    ASSERT_LE(layout->content_offset + layout->content_bytes, damaged.size());
    ASSERT_EQ(layout->content_bytes, layout->head.length);
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::grpc
