#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source::testing {

// Runs a Source from a test's own thread, with a deadline that only a hang can reach.

absl::StatusOr<SourceHead> StatNow(common::async::Executor executor, Source& source,
                                   SourceRequest request,
                                   absl::Duration timeout = absl::Seconds(30));

// What Read brought; `end` is OUT_OF_RANGE after a clean end.
struct Drained {
  SourceHead head;
  std::string bytes;
  absl::Status end;
};
// Fails when Read itself does. Stops after `limit` bytes with an OK end.
absl::StatusOr<Drained> ReadNow(common::async::Executor executor, Source& source,
                                SourceRequest request,
                                std::optional<core::ByteRange> range = std::nullopt,
                                absl::Duration timeout = absl::Seconds(30),
                                uint64_t limit = UINT64_MAX);

absl::StatusOr<std::vector<SourceEntry>> ListNow(common::async::Executor executor, Source& source,
                                                 SourceRequest request);
absl::Status PutNow(common::async::Executor executor, Source& source, SourceRequest request,
                    std::string path, uint64_t length);

}  // namespace dragonfly::dfdaemon::source::testing
