#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/async/blocking_pool.h"
#include "common/async/cancel_scope.h"
#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/os/env.h"
#include "common/rpc/call_gate.h"
#include "common/trace/tracer.h"
#include "dfdaemon/node/block_list.h"
#include "dfdaemon/node/scheduler_session.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/task/task_engine.h"

namespace dragonfly::dfdaemon::service {

// What the services work with. Owned by the application; everything lives until the servers are
// down and `group` is joined.
struct ServiceDeps {
  common::async::Executor executor;  // where coroutines of calls run, with the next two
  common::async::TaskGroup* group = nullptr;
  common::async::CancelScope* scope = nullptr;
  common::async::BlockingPool* pool = nullptr;
  task::TaskEngine* engine = nullptr;
  storage::ContentStore* store = nullptr;
  node::SchedulerClient* schedulers = nullptr;
  common::os::Env* env = nullptr;
  common::trace::Tracer tracer;
  std::string host_id;
  std::string host_ip;
  std::string hostname;
  bool seed_peer = false;
  common::rpc::CallGate* gate = nullptr;  // of the listener; null: any number of calls
  uint32_t concurrent_piece_count = 8;
  // What callers of this host may not download (docs/reference/dynconfig.md); null: anything.
  std::function<std::shared_ptr<const node::BlockList>()> block_list;
  // Called for each that was refused; `type`: common.v2.TaskType. Any thread.
  std::function<void(int type)> on_blocked = [](int) {};
};

}  // namespace dragonfly::dfdaemon::service
