#pragma once

#include <map>
#include <memory>

#include "common/id/task_key.h"
#include "dfdaemon/service/service_deps.h"
#include "proto/common_v2.pb.h"

namespace dragonfly::dfdaemon::service {

// Tells schedulers of complete tasks on this node that they have forgotten (a registration that
// moves no data), so that this node is a parent again. Threading: AnnounceIfHeld from any thread;
// the rest happens on the executor.
class HoldingAnnouncer {
 public:
  explicit HoldingAnnouncer(ServiceDeps deps);

  // Does nothing unless the task that `download` names is complete here, or being announced
  // already.
  void AnnounceIfHeld(const ::common::v2::Download& download);

 private:
  struct State;
  const ServiceDeps deps_;
  std::shared_ptr<State> state_;  // shared with callbacks of sessions
};

}  // namespace dragonfly::dfdaemon::service
