#pragma once

namespace dragonfly::common::rpc {

// Keeps gRPC's queue of callbacks alive as long as the process, once called. Cheap; any thread.
//
// Where it cannot use a background thread of its poller, gRPC 1.51 serves the callback API from one
// queue that all channels and servers share and that goes with the last of them. When that is a
// channel whose last reference a running call holds, the queue is destroyed on the thread that is
// just reading from it, and the heap is corrupted.
void KeepCallbackQueue();

}  // namespace dragonfly::common::rpc
