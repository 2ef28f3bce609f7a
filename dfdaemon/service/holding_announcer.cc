#include "dfdaemon/service/holding_announcer.h"

#include <string>
#include <utility>

#include "common/id/names.h"
#include "dfdaemon/service/download_request.h"

namespace dragonfly::dfdaemon::service {

struct HoldingAnnouncer::State {
  // Of the executor.
  std::map<common::id::TaskKey, std::unique_ptr<node::SchedulerSession>> sessions;
};

HoldingAnnouncer::HoldingAnnouncer(ServiceDeps deps)
    : deps_(std::move(deps)), state_(std::make_shared<State>()) {}

void HoldingAnnouncer::AnnounceIfHeld(const ::common::v2::Download& download) {
  absl::StatusOr<task::DownloadRequest> request =
      MakeDownloadRequest(download, Caller(), deps_.concurrent_piece_count);
  if (!request.ok()) return;  // the download itself will say so
  absl::StatusOr<std::shared_ptr<storage::TaskFile>> file = deps_.store->Find(request->key);
  if (!file.ok() || !(*file)->complete()) return;
  node::Registration registration;
  registration.key = request->key;
  registration.peer_id =
      common::id::MakePeerId(deps_.host_ip, deps_.hostname, deps_.seed_peer, *deps_.env);
  registration.download = request->download;
  registration.geometry = (*file)->meta().geometry;
  registration.metadata_only = true;
  common::async::Post(
      deps_.executor, [deps = deps_, state = state_, registration = std::move(registration)] {
        const common::id::TaskKey key = registration.key;
        if (deps.scope->cancelled() || state->sessions.contains(key)) return;
        state->sessions[key] =
            deps.schedulers->Open(deps.executor, registration, 0,
                                  [executor = deps.executor, weak = std::weak_ptr<State>(state),
                                   key](const node::SchedulerAnswer& answer) {
                                    // Fulfilled or failed: either way there is nothing more to say.
                                    // Not from inside its own callback.
                                    if (!std::holds_alternative<core::RegistrationEnded>(answer))
                                      return;
                                    common::async::Post(executor, [weak, key] {
                                      if (const std::shared_ptr<State> alive = weak.lock())
                                        alive->sessions.erase(key);
                                    });
                                  });
      });
}

}  // namespace dragonfly::dfdaemon::service
