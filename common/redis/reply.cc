#include "common/redis/reply.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "common/status/reason.h"

namespace dragonfly::common::redis {
namespace {

using status::ErrorReason;
using status::MakeStatus;

constexpr size_t kMostErrorBytes = 200;

struct FreeReply {
  void operator()(void* reply) const { freeReplyObject(reply); }
};
struct FreeReader {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

// Depth is bounded by hiredis (7).
Reply Copy(const redisReply& from) {
  Reply out;
  const auto text = [&from] { return from.str == nullptr ? "" : std::string(from.str, from.len); };
  switch (from.type) {
    case REDIS_REPLY_STATUS:
      out.type = Reply::Type::kStatus;
      out.text = text();
      break;
    case REDIS_REPLY_ERROR:
      out.type = Reply::Type::kError;
      out.text = text();
      break;
    case REDIS_REPLY_STRING:
      out.type = Reply::Type::kText;
      out.text = text();
      break;
    case REDIS_REPLY_INTEGER:
      out.type = Reply::Type::kInteger;
      out.integer = from.integer;
      break;
    case REDIS_REPLY_ARRAY:
      out.type = Reply::Type::kArray;
      for (size_t i = 0; i < from.elements; ++i) {
        out.array.push_back(from.element[i] == nullptr ? Reply() : Copy(*from.element[i]));
      }
      break;
    default:
      break;
  }
  return out;
}

absl::Status Broken(const std::string& why) {
  return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kInternal, why);
}

struct ErrorWord {
  std::string_view word;
  absl::StatusCode code;
  ErrorReason reason;
};
constexpr std::array<ErrorWord, 11> kErrorWords = {{
    {"NOAUTH", absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized},
    {"WRONGPASS", absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized},
    {"NOPERM", absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden},
    {"LOADING", absl::StatusCode::kUnavailable, ErrorReason::kOverloaded},
    {"MASTERDOWN", absl::StatusCode::kUnavailable, ErrorReason::kUnknown},
    {"READONLY", absl::StatusCode::kUnavailable, ErrorReason::kUnknown},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable, ErrorReason::kUnknown},
    {"TRYAGAIN", absl::StatusCode::kUnavailable, ErrorReason::kUnknown},
    {"BUSY", absl::StatusCode::kUnavailable, ErrorReason::kOverloaded},
    {"OOM", absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded},
    {"WRONGTYPE", absl::StatusCode::kFailedPrecondition, ErrorReason::kConflict},
}};

}  // namespace

std::optional<std::string> Reply::AsText() const {
  if (type == Type::kStatus || type == Type::kText) return text;
  return std::nullopt;
}

struct ReplyReader::Impl {
  explicit Impl(size_t the_max_bytes) : max_bytes(the_max_bytes), reader(redisReaderCreate()) {}
  const size_t max_bytes;
  // Null when there was no memory.
  std::unique_ptr<redisReader, FreeReader> reader;
  size_t fed_bytes = 0;  // since the last whole reply
  absl::Status broken;
};

ReplyReader::ReplyReader(size_t max_bytes) : impl_(std::make_unique<Impl>(max_bytes)) {
  if (impl_->reader == nullptr) impl_->broken = Broken("no memory for a reader of replies");
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::Feed(std::span<const std::byte> bytes) {
  if (!impl_->broken.ok()) return;
  impl_->fed_bytes += bytes.size();
  const char* text = static_cast<const char*>(static_cast<const void*>(bytes.data()));
  if (redisReaderFeed(impl_->reader.get(), text, bytes.size()) != REDIS_OK) {
    impl_->broken = Broken("what came cannot be read");
  }
}

absl::StatusOr<std::optional<Reply>> ReplyReader::Next() {
  if (!impl_->broken.ok()) return impl_->broken;
  void* raw = nullptr;
  if (redisReaderGetReply(impl_->reader.get(), &raw) != REDIS_OK) {
    // Its text may quote what came.
    impl_->broken = Broken("the server does not speak Redis' protocol (RESP 2)");
    return impl_->broken;
  }
  const std::unique_ptr<void, FreeReply> reply(raw);
  if (raw == nullptr) {
    if (impl_->fed_bytes > impl_->max_bytes) {
      impl_->broken =
          Broken("a reply is longer than " + std::to_string(impl_->max_bytes) + " bytes");
      return impl_->broken;
    }
    return std::optional<Reply>();
  }
  impl_->fed_bytes = 0;
  return std::optional<Reply>(Copy(*static_cast<const redisReply*>(raw)));
}

std::string FormatCommand(const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  char* formatted = nullptr;
  const long long length = redisFormatCommandArgv(&formatted, static_cast<int>(arguments.size()),
                                                  texts.data(), lengths.data());
  if (length < 0) return std::string();
  std::string out(formatted, static_cast<size_t>(length));
  redisFreeCommand(formatted);
  return out;
}

absl::Status StatusOfError(const std::string& error) {
  const std::string word = error.substr(0, std::min(error.find(' '), kMostErrorBytes));
  const auto known = std::find_if(kErrorWords.begin(), kErrorWords.end(),
                                  [&word](const ErrorWord& one) { return one.word == word; });
  if (known != kErrorWords.end())
    return MakeStatus(known->code, known->reason, error.substr(0, kMostErrorBytes));
  if (error.find("max number of clients") != std::string::npos) {
    return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded, error);
  }
  // "ERR invalid password" of servers before version 6 says nothing secret; "ERR unknown command
  // `AUTH`, with args beginning with: ..." does.
  const size_t arguments = error.find(", with args");
  return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kUnknown,
                    error.substr(0, std::min(arguments, kMostErrorBytes)));
}

}  // namespace dragonfly::common::redis
