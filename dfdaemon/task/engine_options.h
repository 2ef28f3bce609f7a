#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/limit/token_bucket.h"
#include "common/os/env.h"
#include "common/trace/tracer.h"
#include "dfdaemon/core/download_core.h"
#include "dfdaemon/node/parent_link.h"
#include "dfdaemon/node/scheduler_session.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/storage/content_store.h"
#include "dfdaemon/task/task_metrics.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::task {

// What the engine works with. Owned by main.cc (or a test) and alive until the engine is gone.
struct EngineDeps {
  common::async::Runtime* runtime = nullptr;
  common::async::BlockingPool* pool = nullptr;
  common::os::Env* env = nullptr;
  storage::ContentStore* store = nullptr;
  node::SchedulerClient* schedulers = nullptr;
  node::ParentDialer* dialer = nullptr;
  transfer::PieceClient* pieces = nullptr;
  const source::SourceRegistry* sources = nullptr;
  common::limit::TokenBucket* download_limit = nullptr;  // bytes from anywhere
  common::limit::TokenBucket* source_limit = nullptr;    // bytes from origins
  TaskMetrics* metrics = nullptr;
  common::trace::Tracer tracer;
};

struct EngineOptions {
  core::CoreOptions core;
  std::string host_id;
  std::string host_ip;
  std::string hostname;
  bool seed_peer = false;
  absl::Duration piece_timeout =
      absl::Minutes(6);  // download.pieceTimeout: one request to an origin
  absl::Duration task_ttl = absl::Hours(720);
  bool trace_to_origin = false;  // tracing.propagateToOrigin
};

}  // namespace dragonfly::dfdaemon::task
