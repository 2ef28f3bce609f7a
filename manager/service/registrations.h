#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "manager/cache/member_liveness.h"
#include "manager/store/store.h"

namespace manager::v2 {
class DeleteSeedPeerRequest;
class UpdateSchedulerRequest;
class UpdateSeedPeerRequest;
}  // namespace manager::v2

namespace dragonfly::manager::service {

// What gRPC writes to the database. All block: they are called on the blocking pool. Requests have
// passed proto/rules. Errors are the store's, NOT_FOUND for a cluster that does not exist, and
// INVALID_ARGUMENT for what does not fit.

// Inserts or updates the row of this host name, address and cluster, whatever its port was. What
// the request leaves out stays as it is; the state is not touched. `now`: wall clock.
absl::StatusOr<store::models::Scheduler> Register(
    store::Store& store, const ::manager::v2::UpdateSchedulerRequest& request, absl::Time now);
// The same; the state becomes active.
absl::StatusOr<store::models::SeedPeer> Register(
    store::Store& store, const ::manager::v2::UpdateSeedPeerRequest& request);
// Rows of this host name and cluster, and of this address if it is set; none is fine.
absl::Status Delete(store::Store& store, const ::manager::v2::DeleteSeedPeerRequest& request);

// Writes states and time stamps, all or none of them. Returns the members that are alive but have
// no row any more.
absl::StatusOr<std::vector<liveness::Member>> WriteLiveness(
    store::Store& store, const std::vector<cache::LivenessChange>& changes);

}  // namespace dragonfly::manager::service
