#include "dfdaemon/node/per_core.h"

#include "absl/status/status.h"
#include "common/status/reason.h"

namespace dragonfly::dfdaemon::node {
namespace {

common::async::Co<void> End(PerCore::Core* core) {
  core->scope.Cancel(common::status::MakeStatus(absl::StatusCode::kCancelled,
                                                common::status::ErrorReason::kShutdown,
                                                "this node is shutting down"));
  co_await core->group.Join();
}

}  // namespace

PerCore::PerCore(common::async::Runtime& runtime) {
  for (size_t i = 0; i < runtime.cores(); ++i) {
    cores_.push_back(std::make_unique<Core>(runtime.executor(i)));
  }
}

PerCore::~PerCore() { Stop(); }

PerCore::Core& PerCore::Of(common::async::Executor executor) {
  for (const auto& core : cores_) {
    if (core->executor == executor) return *core;
  }
  return *cores_.front();
}

void PerCore::Stop() {
  if (stopped_) return;
  stopped_ = true;
  for (const auto& core : cores_) {
    common::async::RunToEnd(core->executor, [&core] { return End(core.get()); });
  }
}

}  // namespace dragonfly::dfdaemon::node
