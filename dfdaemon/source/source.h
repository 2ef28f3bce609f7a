#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::source {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// As the length of a range: from its start to the end, wherever that is.
inline constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

// Who asked, which decides what may be dialled (docs/reference/egress.md): somebody on this host
// may reach this host's loopback, a request that came by network may not.
enum class Requester { kLocalUser, kNetwork };

struct SourceRequest {
  std::string url;
  HeaderList headers;  // of the caller, credentials included; Range and If-Range are ours
  Requester requester = Requester::kNetwork;
  std::vector<std::string> certificate_chain;  // DER, trusted for this origin beside the system's
  // Content that must be the same as before: If-Range with the strong ETag, else Last-Modified.
  std::string etag;
  std::string last_modified;
};

struct SourceHead {
  int http_status = 0;                     // 200, 206; 0 for other schemes
  std::optional<uint64_t> content_length;  // of the whole content, not of this body
  uint64_t offset = 0;                     // of the first byte of this body
  bool ranges = false;                     // the origin serves ranges
  std::string etag;
  std::string last_modified;
  HeaderList headers;  // to be replayed to clients; hop-by-hop and volatile ones removed
};

// The body of one answer, in order.
class SourceStream {
 public:
  virtual ~SourceStream() = default;
  virtual const SourceHead& head() const = 0;
  // At least one byte; OUT_OF_RANGE at the clean end, DATA_LOSS (kOriginProtocol) when it was cut
  // short.
  virtual common::async::Co<absl::StatusOr<size_t>> Read(common::async::CancelScope& scope,
                                                         std::span<std::byte> out) = 0;
};

struct SourceEntry {
  std::string url;
  uint64_t content_length = 0;
  bool is_directory = false;
};

// Content outside the swarm. One for each family of schemes, found by SourceRegistry.
//
// Errors: kOriginUnreachable, kOriginStatus (with OriginError), kOriginProtocol, kOriginSilent,
// kOriginChanged (the pinned validators do not hold), kForbidden (egress policy); UNIMPLEMENTED for
// what a scheme cannot do. Thread: any executor.
class Source {
 public:
  virtual ~Source() = default;
  // Length, validators and headers without the body.
  virtual common::async::Co<absl::StatusOr<SourceHead>> Stat(common::async::CancelScope& scope,
                                                             SourceRequest request) = 0;
  // The content, or `range` of it. An origin without ranges answers with the whole: head().offset
  // tells; the caller skips. A range past the end is OUT_OF_RANGE.
  virtual common::async::Co<absl::StatusOr<std::unique_ptr<SourceStream>>> Read(
      common::async::CancelScope& scope, SourceRequest request,
      std::optional<core::ByteRange> range) = 0;
  // Children of a directory.
  virtual common::async::Co<absl::StatusOr<std::vector<SourceEntry>>> List(
      common::async::CancelScope& scope, SourceRequest request) = 0;
  // Uploads [0, length) of a local file.
  virtual common::async::Co<absl::Status> Put(common::async::CancelScope& scope,
                                              SourceRequest request, std::string path,
                                              uint64_t length) = 0;
};

// Sources by scheme ("http", "s3", ...). Built by main.cc, then constant.
class SourceRegistry {
 public:
  void Add(std::string scheme, std::shared_ptr<Source> source);  // shared by schemes of one family
  // INVALID_ARGUMENT naming the scheme and those there are.
  absl::StatusOr<std::shared_ptr<Source>> Find(std::string_view url) const;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<Source>>> sources_;
};

}  // namespace dragonfly::dfdaemon::source
