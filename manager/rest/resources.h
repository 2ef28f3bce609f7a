#pragma once

#include <cstdint>

#include "manager/rest/resource.h"

namespace dragonfly::manager::rest {

// The rows that the API knows, as tables. Each lives as long as the process.
const Resource& SchedulerClusters();
const Resource& Schedulers();
const Resource& SeedPeerClusters();
const Resource& SeedPeers();
const Resource& Peers();
const Resource& Users();
const Resource& Oauths();
const Resource& Configs();
const Resource& Applications();
const Resource& AccessTokens();
const Resource& Audits();

// Shapes that the aggregate of clusters has too.
Shape SchedulerConfigShape();
Shape PeerConfigShape();
Shape SeedPeerConfigShape();
Shape SeedClientConfigShape();
Shape ScopesShape();
// INVALID_ARGUMENT names the block of addresses or pattern of host names that cannot be used.
absl::Status CheckScopes(std::string_view json);

// Of all scheduler clusters only `id` stays the default one.
absl::Status KeepOneDefault(store::Executor& session, int64_t id);
// FAILED_PRECONDITION with the original's words when schedulers, or seed peers, belong to it.
absl::Status CheckNoSchedulers(store::Executor& session, int64_t scheduler_cluster_id);
absl::Status CheckNoSeedPeers(store::Executor& session, int64_t seed_peer_cluster_id);
// The seed peers of the scheduler cluster are those of this cluster and of no other.
absl::Status LinkSeedPeers(store::Executor& session, int64_t scheduler_cluster_id,
                           int64_t seed_peer_cluster_id);

}  // namespace dragonfly::manager::rest
