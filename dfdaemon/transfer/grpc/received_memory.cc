#include "dfdaemon/transfer/grpc/received_memory.h"

#include <malloc.h>

namespace dragonfly::dfdaemon::transfer::grpc {

void KeepReceivedMemory() {
  // Where one of them is refused, things are as slow as they were.
  (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
  (void)mallopt(M_MMAP_THRESHOLD, 8 << 20);
  (void)mallopt(M_ARENA_MAX, 1);
}

}  // namespace dragonfly::dfdaemon::transfer::grpc
