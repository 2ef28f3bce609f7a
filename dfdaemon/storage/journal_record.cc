#include "dfdaemon/storage/journal_record.h"

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::storage {
namespace {

constexpr char kMagic[8] = {'D', 'F', 'J', 'R', 'N', 'L', '\r', '\n'};
constexpr uint64_t kNoLength = std::numeric_limits<uint64_t>::max();

enum class Type : uint8_t {
  kTask = 1,
  kTaskUpdate = 2,
  kPiece = 3,
  kPieceLost = 4,
  kDelete = 5,
  kAccess = 6,
  kDurable = 7,
  kMark = 8
};

// Little-endian integers and counted strings.
class Writer {
 public:
  template <typename T>
  void Integer(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      out_ += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xffU);
    }
  }
  void Text(const std::string& text) {
    Integer(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  void Time(absl::Time time) { Integer(absl::ToUnixNanos(time)); }
  void Key(const TaskKey& key) {
    Integer(static_cast<uint8_t>(key.kind));
    Text(key.id);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

  template <typename T>
  T Integer() {
    if (bytes_.size() < sizeof(T)) {
      ok_ = false;
      bytes_ = {};
      return T{};
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<uint64_t>(bytes_[i]) << (8 * i);
    bytes_ = bytes_.subspan(sizeof(T));
    return static_cast<T>(value);
  }
  std::string Text() {
    const auto size = Integer<uint32_t>();
    if (size > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return "";
    }
    std::string text(size, '\0');
    // A record that was cut has no bytes left, and memcpy takes no null pointer.
    if (size > 0) std::memcpy(text.data(), bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return text;
  }
  absl::Time Time() { return absl::FromUnixNanos(Integer<int64_t>()); }
  TaskKey Key() {
    TaskKey key;
    const auto kind = Integer<uint8_t>();
    if (kind > static_cast<uint8_t>(common::id::TaskKind::kPersistentCache)) ok_ = false;
    key.kind = static_cast<common::id::TaskKind>(kind);
    key.id = Text();
    return key;
  }

 private:
  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

void Put(const TaskMeta& meta, Writer& w) {
  w.Text(meta.url);
  w.Integer(meta.geometry.piece_length);
  w.Integer(meta.geometry.content_length.value_or(kNoLength));
  w.Text(meta.validators.etag);
  w.Text(meta.validators.last_modified);
  w.Integer(static_cast<uint32_t>(meta.response_header.size()));
  for (const auto& [name, value] : meta.response_header) {
    w.Text(name);
    w.Text(value);
  }
  w.Integer(absl::ToInt64Nanoseconds(meta.time_to_live));
  w.Integer(static_cast<uint8_t>(meta.eviction_class));
  w.Time(meta.created_at);
  w.Integer(static_cast<uint8_t>(meta.finished_at.has_value()));
  w.Time(meta.finished_at.value_or(absl::UnixEpoch()));
}

TaskMeta GetMeta(Reader& r) {
  TaskMeta meta;
  meta.url = r.Text();
  meta.geometry.piece_length = r.Integer<uint64_t>();
  const auto length = r.Integer<uint64_t>();
  if (length != kNoLength) meta.geometry.content_length = length;
  meta.validators.etag = r.Text();
  meta.validators.last_modified = r.Text();
  const auto headers = r.Integer<uint32_t>();
  for (uint32_t i = 0; i < headers && r.ok(); ++i) {
    std::string name = r.Text();
    meta.response_header.emplace_back(std::move(name), r.Text());
  }
  meta.time_to_live = absl::Nanoseconds(r.Integer<int64_t>());
  meta.eviction_class = static_cast<EvictionClass>(r.Integer<uint8_t>());
  meta.created_at = r.Time();
  const bool finished = r.Integer<uint8_t>() != 0;
  const absl::Time finished_at = r.Time();
  if (finished) meta.finished_at = finished_at;
  return meta;
}

void Put(const PieceInfo& piece, Writer& w) {
  w.Integer(piece.number);
  w.Integer(piece.offset);
  w.Integer(piece.length);
  w.Integer(piece.crc32);
  w.Text(piece.parent_id);
  w.Integer(static_cast<uint8_t>(piece.traffic));
  w.Integer(absl::ToInt64Nanoseconds(piece.cost));
  w.Time(piece.created_at);
}

PieceInfo GetPiece(Reader& r) {
  PieceInfo piece;
  piece.number = r.Integer<uint32_t>();
  piece.offset = r.Integer<uint64_t>();
  piece.length = r.Integer<uint64_t>();
  piece.crc32 = r.Integer<uint32_t>();
  piece.parent_id = r.Text();
  piece.traffic = static_cast<core::TrafficType>(r.Integer<uint8_t>());
  piece.cost = absl::Nanoseconds(r.Integer<int64_t>());
  piece.created_at = r.Time();
  return piece;
}

Type TypeOf(const JournalRecord& record) { return static_cast<Type>(record.index() + 1); }

std::string EncodePayload(const JournalRecord& record) {
  Writer w;
  std::visit(
      [&w](const auto& r) {
        using R = std::decay_t<decltype(r)>;
        if constexpr (std::is_same_v<R, DurableRecord> || std::is_same_v<R, MarkRecord>) {
          w.Integer(r.epoch);
        } else {
          w.Key(r.key);
        }
        if constexpr (std::is_same_v<R, TaskRecord> || std::is_same_v<R, TaskUpdateRecord>)
          Put(r.meta, w);
        if constexpr (std::is_same_v<R, PieceRecord>) Put(r.piece, w);
        if constexpr (std::is_same_v<R, PieceLostRecord>) w.Integer(r.number);
        if constexpr (std::is_same_v<R, AccessRecord>) w.Time(r.at);
      },
      record);
  return w.Take();
}

std::optional<JournalRecord> DecodePayload(Type type, std::span<const std::byte> payload) {
  Reader r(payload);
  std::optional<JournalRecord> record;
  switch (type) {
    case Type::kTask: {
      TaskKey key = r.Key();
      record = TaskRecord{std::move(key), GetMeta(r)};
      break;
    }
    case Type::kTaskUpdate: {
      TaskKey key = r.Key();
      record = TaskUpdateRecord{std::move(key), GetMeta(r)};
      break;
    }
    case Type::kPiece: {
      TaskKey key = r.Key();
      record = PieceRecord{std::move(key), GetPiece(r)};
      break;
    }
    case Type::kPieceLost: {
      TaskKey key = r.Key();
      record = PieceLostRecord{std::move(key), r.Integer<uint32_t>()};
      break;
    }
    case Type::kDelete:
      record = DeleteRecord{r.Key()};
      break;
    case Type::kAccess: {
      TaskKey key = r.Key();
      record = AccessRecord{std::move(key), r.Time()};
      break;
    }
    case Type::kDurable:
      record = DurableRecord{r.Integer<uint64_t>()};
      break;
    case Type::kMark:
      record = MarkRecord{r.Integer<uint64_t>()};
      break;
  }
  if (!r.ok() || !r.at_end()) return std::nullopt;
  return record;
}

uint32_t Load32(const std::byte* bytes) {
  uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::to_integer<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

}  // namespace

std::string EncodeSegmentHeader() {
  Writer w;
  w.Integer(kJournalVersion);
  w.Integer(uint32_t{0});
  return std::string(kMagic, sizeof(kMagic)) + w.Take();
}

absl::Status CheckSegmentHeader(std::span<const std::byte> header) {
  if (header.size() < kSegmentHeaderBytes ||
      std::memcmp(header.data(), kMagic, sizeof(kMagic)) != 0) {
    return common::status::MakeStatus(absl::StatusCode::kDataLoss,
                                      common::status::ErrorReason::kDiskFault,
                                      "not a journal of this program");
  }
  const uint32_t version = Load32(header.data() + sizeof(kMagic));
  if (version != kJournalVersion) {
    return common::status::MakeStatus(
        absl::StatusCode::kFailedPrecondition, common::status::ErrorReason::kDiskFault,
        absl::StrCat("journal version ", version, "; this program reads version ",
                     kJournalVersion));
  }
  return absl::OkStatus();
}

std::string EncodeRecord(const JournalRecord& record) {
  const std::string payload = EncodePayload(record);
  const auto type = static_cast<char>(TypeOf(record));
  const uint32_t crc =
      common::digest::Crc32(payload, common::digest::Crc32(std::string_view(&type, 1)));
  Writer w;
  w.Integer(static_cast<uint32_t>(payload.size()));
  w.Integer(crc);
  return w.Take() + type + payload;
}

std::optional<JournalRecord> DecodeRecord(std::span<const std::byte> bytes, size_t* consumed) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const uint32_t length = Load32(bytes.data());
  const uint32_t crc = Load32(bytes.data() + 4);
  // A record has at least a number in it: length 0 is the preallocated rest of the file.
  if (length == 0 || length > kMaxRecordBytes || bytes.size() - kRecordHeaderBytes < length)
    return std::nullopt;
  if (common::digest::Crc32(bytes.subspan(8, 1 + length)) != crc) return std::nullopt;
  const auto type = static_cast<Type>(std::to_integer<uint8_t>(bytes[8]));
  *consumed = kRecordHeaderBytes + length;
  return DecodePayload(type, bytes.subspan(kRecordHeaderBytes, length));
}

}  // namespace dragonfly::dfdaemon::storage
