#include "dfdaemon/transfer/grpc/next_turn.h"

#include <memory>

#include "common/async/runtime.h"
#include "common/async/signal.h"

namespace dragonfly::dfdaemon::transfer::grpc {

namespace async = common::async;

async::Co<absl::Status> NextTurn(async::CancelScope& scope) {
  if (scope.cancelled()) co_return scope.status();
  // Shared with what is posted: the scope may end first.
  auto turn = std::make_shared<async::Signal>(scope.executor());
  async::Post(scope.executor(), [turn] { turn->NotifyAll(); });
  absl::Status waited = co_await turn->Wait(scope);
  co_return waited;
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
