#include "dfdaemon/transfer/testing/recording_sink.h"

#include <utility>

namespace dragonfly::dfdaemon::transfer::testing {

namespace async = common::async;

absl::Status FetchNow(async::Executor executor, PieceClient& client, PieceTarget target,
                      PieceRequest request, PieceSink& sink, absl::Duration timeout) {
  absl::Status result;
  async::RunToEnd(executor, [&]() -> async::Co<void> {
    async::CancelScope scope(executor, timeout);
    result = co_await client.Fetch(scope, target, request, sink);
  });
  return result;
}

}  // namespace dragonfly::dfdaemon::transfer::testing
