#include "dfdaemon/transfer/vortex/codec.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/transfer/vortex/piece_text.h"

namespace dragonfly::dfdaemon::transfer::vortex {
namespace {

using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::StdView;

absl::Status Violation(const std::string& message) {
  return common::status::MakeStatus(absl::StatusCode::kInvalidArgument,
                                    ErrorReason::kParentProtocol, "vortex: " + message);
}

// Takes big-endian numbers and texts from the front of a span; once something did not fit, nothing
// does any more, and ok() says so.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T Number() {
    const std::span<const std::byte> bytes = Take(sizeof(T));
    T value = 0;
    for (std::byte b : bytes)
      value = static_cast<T>((uint64_t{value} << 8) | std::to_integer<uint64_t>(b));
    return value;
  }
  std::string_view Text(size_t size) {
    const std::span<const std::byte> bytes = Take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> Take(size_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::span<const std::byte> taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(size_t size) { bytes_.reserve(size); }

  template <std::unsigned_integral T>
  void Number(T value) {
    for (size_t i = sizeof(T); i-- > 0;)
      bytes_.push_back(static_cast<std::byte>((uint64_t{value} >> (8 * i)) & 0xff));
  }
  void Text(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void PutHeader(const Header& header) {
    Number(header.packet_id);
    Number(header.tag);
    Number(header.length);
  }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

Tag RequestTag(TaskKind kind) {
  switch (kind) {
    case TaskKind::kStandard:
      return Tag::kDownloadPiece;
    case TaskKind::kPersistent:
      return Tag::kDownloadPersistentPiece;
    case TaskKind::kPersistentCache:
      return Tag::kDownloadPersistentCachePiece;
  }
  return Tag::kDownloadPiece;
}

Tag ContentTag(TaskKind kind) {
  return static_cast<Tag>(static_cast<uint8_t>(RequestTag(kind)) + 1);
}

std::optional<TaskKind> KindOfRequest(uint8_t tag) {
  for (TaskKind kind : common::id::kAllTaskKinds) {
    if (tag == static_cast<uint8_t>(RequestTag(kind))) return kind;
  }
  return std::nullopt;
}

Header DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes) {
  Reader reader(bytes);
  Header header;
  header.packet_id = reader.Number<uint8_t>();
  header.tag = reader.Number<uint8_t>();
  header.length = reader.Number<uint32_t>();
  return header;
}

std::array<std::byte, kHeaderBytes> EncodeHeader(const Header& header) {
  Writer writer(kHeaderBytes);
  writer.PutHeader(header);
  const std::vector<std::byte> bytes = writer.Take();
  std::array<std::byte, kHeaderBytes> out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

absl::StatusOr<std::array<std::byte, kRequestBytes>> EncodeRequest(const Request& request) {
  if (request.key.id.size() != kTaskIdBytes) {
    return common::status::MakeStatus(
        absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
        StdView(absl::StrCat("task id of ", request.key.id.size(),
                             " characters: Vortex can only ask for ids of ", kTaskIdBytes)));
  }
  Writer writer(kRequestBytes);
  Header header;
  header.packet_id = request.packet_id;
  header.tag = static_cast<uint8_t>(RequestTag(request.key.kind));
  header.length = kRequestValueBytes;
  writer.PutHeader(header);
  writer.Text(request.key.id);
  writer.Number(request.number);
  const std::vector<std::byte> bytes = writer.Take();
  std::array<std::byte, kRequestBytes> out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

absl::Status CheckRequestHeader(const Header& header) {
  if (!KindOfRequest(header.tag).has_value())
    return Violation(absl::StrCat("tag ", header.tag, " is not a request that is served here"));
  if (header.length != kRequestValueBytes) {
    return Violation(
        absl::StrCat("request of ", header.length, " bytes instead of ", kRequestValueBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Request> DecodeRequest(const Header& header,
                                      std::span<const std::byte, kRequestValueBytes> value) {
  absl::Status checked = CheckRequestHeader(header);
  if (!checked.ok()) return checked;
  Reader reader(value);
  Request request;
  request.packet_id = header.packet_id;
  request.key.kind = *KindOfRequest(header.tag);
  request.key.id = reader.Text(kTaskIdBytes);
  request.number = reader.Number<uint32_t>();
  const bool printable =
      std::ranges::all_of(request.key.id, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!printable) return Violation("task id with characters that are not printable ASCII");
  return request;
}

std::vector<std::byte> EncodeContentHead(uint8_t packet_id, TaskKind kind,
                                         const Metadata& metadata) {
  std::string digest;
  if (metadata.crc32.has_value()) digest = FormatPieceDigest(*metadata.crc32);
  std::string_view parent_id = metadata.parent_id;
  if (parent_id.size() > kMaxMetadataBytes - kMinMetadataBytes - kMaxPieceDigestBytes)
    parent_id = {};
  const auto size = static_cast<uint32_t>(kMinMetadataBytes + digest.size() + parent_id.size());

  Writer writer(kHeaderBytes + kMetadataLengthBytes + size);
  Header header;
  header.packet_id = packet_id;
  header.tag = static_cast<uint8_t>(ContentTag(kind));
  header.length = static_cast<uint32_t>(kMetadataLengthBytes + size);
  writer.PutHeader(header);
  writer.Number(size);
  writer.Number(metadata.number);
  writer.Number(metadata.offset);
  writer.Number(metadata.length);
  writer.Number(static_cast<uint32_t>(digest.size()));
  writer.Text(digest);
  writer.Number(static_cast<uint32_t>(parent_id.size()));
  writer.Text(parent_id);
  writer.Number(metadata.traffic_type);
  writer.Number(metadata.cost_seconds);
  writer.Number(static_cast<uint64_t>(metadata.created_at_unix));
  return writer.Take();
}

absl::StatusOr<uint32_t> DecodeMetadataLength(
    std::span<const std::byte, kMetadataLengthBytes> bytes) {
  const uint32_t length = Reader(bytes).Number<uint32_t>();
  if (length < kMinMetadataBytes || length > kMaxMetadataBytes) {
    return Violation(absl::StrCat("metadata of ", length, " bytes, allowed are ", kMinMetadataBytes,
                                  " to ", kMaxMetadataBytes));
  }
  return length;
}

absl::StatusOr<Metadata> DecodeMetadata(std::span<const std::byte> bytes,
                                        uint64_t max_piece_bytes) {
  Reader reader(bytes);
  Metadata metadata;
  metadata.number = reader.Number<uint32_t>();
  metadata.offset = reader.Number<uint64_t>();
  metadata.length = reader.Number<uint64_t>();
  const std::string_view digest = reader.Text(reader.Number<uint32_t>());
  const std::string_view parent_id = reader.Text(reader.Number<uint32_t>());
  metadata.traffic_type = reader.Number<uint8_t>();
  metadata.cost_seconds = reader.Number<uint64_t>();
  metadata.created_at_unix = static_cast<int64_t>(reader.Number<uint64_t>());
  if (!reader.ok() || !reader.at_end())
    return Violation(
        absl::StrCat("the fields of the metadata do not add up to its ", bytes.size(), " bytes"));
  max_piece_bytes = std::min(max_piece_bytes, kAbsoluteMaxPieceBytes);
  if (metadata.length > max_piece_bytes) {
    return Violation(absl::StrCat("piece of ", metadata.length, " bytes, allowed are at most ",
                                  max_piece_bytes));
  }
  if (!common::status::CheckedAdd(metadata.offset, metadata.length).has_value())
    return Violation("offset plus length of the piece overflow");
  if (!IsPrintableUtf8(parent_id)) return Violation("parent id that is not printable UTF-8");
  metadata.parent_id = parent_id;
  if (!ParsePieceDigest(digest, metadata.crc32)) {
    return Violation("digest \"" + Printable(digest.substr(0, 64)) +
                     "\" is not crc32: with 1 to 10 digits");
  }
  return metadata;
}

std::vector<std::byte> EncodeError(uint8_t packet_id, ErrorCode code, std::string_view message) {
  message = message.substr(0, kMaxErrorBytes - 1);
  Writer writer(kHeaderBytes + 1 + message.size());
  Header header;
  header.packet_id = packet_id;
  header.tag = static_cast<uint8_t>(Tag::kError);
  header.length = static_cast<uint32_t>(1 + message.size());
  writer.PutHeader(header);
  writer.Number(static_cast<uint8_t>(code));
  writer.Text(message);
  return writer.Take();
}

absl::Status CheckErrorLength(uint32_t length) {
  if (length == 0 || length > kMaxErrorBytes) {
    return Violation(
        absl::StrCat("error packet of ", length, " bytes, allowed are 1 to ", kMaxErrorBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Error> DecodeError(std::span<const std::byte> value) {
  absl::Status checked = CheckErrorLength(
      common::status::CheckedCast<uint32_t>(value.size()).value_or(kMaxErrorBytes + 1));
  if (!checked.ok()) return checked;
  Reader reader(value);
  Error error;
  const auto code = reader.Number<uint8_t>();
  if (code <= static_cast<uint8_t>(ErrorCode::kInternal)) error.code = static_cast<ErrorCode>(code);
  error.message = Printable(reader.Text(value.size() - 1));
  return error;
}

std::vector<std::byte> EncodeKeepalivePreface(uint8_t packet_id) {
  Writer writer(kHeaderBytes + kKeepalivePreface.size());
  Header header;
  header.packet_id = packet_id;
  header.tag = static_cast<uint8_t>(Tag::kClose);
  header.length = static_cast<uint32_t>(kKeepalivePreface.size());
  writer.PutHeader(header);
  writer.Text(kKeepalivePreface);
  return writer.Take();
}

bool IsKeepalivePrefaceHeader(const Header& header) {
  return header.Is(Tag::kClose) && header.length == kKeepalivePreface.size();
}

}  // namespace dragonfly::dfdaemon::transfer::vortex
