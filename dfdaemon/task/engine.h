#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "dfdaemon/task/engine_options.h"
#include "dfdaemon/task/task_engine.h"

namespace dragonfly::dfdaemon::task {

// The real engine: a task belongs to the executor that its id hashes to; there a Download per
// running task, shared by its callers. `deps` must outlive it; Shutdown() before it is destroyed.
std::unique_ptr<TaskEngine> MakeTaskEngine(EngineDeps deps, EngineOptions options);

}  // namespace dragonfly::dfdaemon::task
