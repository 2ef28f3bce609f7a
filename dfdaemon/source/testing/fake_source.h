#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source::testing {

// How one URL behaves.
struct FakeContent {
  std::string body;
  bool ranges = true;
  bool tells_length = true;  // false: as a chunked answer
  std::string etag = "\"v1\"";
  std::string last_modified;
  HeaderList headers;

  size_t bytes_per_read = 64 * 1024;
  absl::Duration delay_per_read;    // slow
  std::optional<uint64_t> hang_at;  // silent from this byte of the content on
  std::optional<uint64_t> fail_at;  // cut short (DATA_LOSS) at this byte of the content ...
  int failures = 1;                 // ... this many times
  absl::Status open_error;          // every Read and Stat fails with it ...
  int open_failures = 1 << 30;      // ... this many times
};

// An origin in memory that does as the script says. Threading: any thread.
class FakeSource : public Source {
 public:
  struct ReadCall {
    std::string url;
    std::optional<core::ByteRange> range;
    std::string etag;
    HeaderList headers;
  };

  // New content, or another behaviour, under `url`.
  void Set(std::string url, FakeContent content);
  // A new version: other bytes and another validator.
  void Change(const std::string& url, std::string body);

  std::vector<ReadCall> reads() const;
  int stats() const;
  uint64_t bytes_read() const;

  common::async::Co<absl::StatusOr<SourceHead>> Stat(common::async::CancelScope& scope,
                                                     SourceRequest request) override;
  common::async::Co<absl::StatusOr<std::unique_ptr<SourceStream>>> Read(
      common::async::CancelScope& scope, SourceRequest request,
      std::optional<core::ByteRange> range) override;
  // What lies directly below the URL, which ends in "/".
  common::async::Co<absl::StatusOr<std::vector<SourceEntry>>> List(
      common::async::CancelScope& scope, SourceRequest request) override;
  common::async::Co<absl::Status> Put(common::async::CancelScope& scope, SourceRequest request,
                                      std::string path, uint64_t length) override;

 private:
  struct State;
  class Stream;
  absl::StatusOr<FakeContent> Open(const SourceRequest& request);

  // Shared with streams, which may outlive the source in a test that ends early.
  std::shared_ptr<State> state_ = MakeState();
  static std::shared_ptr<State> MakeState();
};

}  // namespace dragonfly::dfdaemon::source::testing
