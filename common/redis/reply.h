#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace dragonfly::common::redis {

// What a server said. A value.
struct Reply {
  enum class Type : uint8_t { kNil, kStatus, kError, kInteger, kText, kArray };
  Type type = Type::kNil;
  std::string text;  // of a status, an error or a text; any bytes
  int64_t integer = 0;
  std::vector<Reply> array;

  bool is_nil() const { return type == Type::kNil; }
  // The text of a status or text; nothing for others.
  std::optional<std::string> AsText() const;
};

// Cuts replies out of a stream of bytes (RESP 2). Pure.
// Threading: one at a time.
class ReplyReader {
 public:
  // A reply longer than `max_bytes` as it is on the wire is DATA_LOSS, as is what is none: the
  // stream is of no use afterwards.
  explicit ReplyReader(size_t max_bytes);
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;
  ~ReplyReader();

  void Feed(std::span<const std::byte> bytes);
  // Nothing: there is no whole reply yet.
  absl::StatusOr<std::optional<Reply>> Next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A command as it is sent; any bytes in its arguments.
std::string FormatCommand(const std::vector<std::string>& arguments);

// An error reply as a status: UNAUTHENTICATED (NOAUTH, WRONGPASS), PERMISSION_DENIED (NOPERM),
// UNAVAILABLE (LOADING, MASTERDOWN, READONLY, CLUSTERDOWN, TRYAGAIN, BUSY), RESOURCE_EXHAUSTED
// (OOM, too many clients), else INTERNAL. Of its text only the first word is kept where the rest
// may repeat what was sent.
absl::Status StatusOfError(const std::string& error);

}  // namespace dragonfly::common::redis
