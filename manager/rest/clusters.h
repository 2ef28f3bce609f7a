#pragma once

#include "manager/rest/call.h"
#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// A scheduler cluster and the seed peer cluster that is linked to it, seen as one: what the console
// and Open API clients work with. Each change is one transaction over both.
//
// A cluster without a seed peer cluster, or with several, is shown with 0 or the first one; it can
// be deleted but not changed here. Deleting refuses while schedulers or seed peers belong to it,
// and leaves a seed peer cluster that another scheduler cluster uses too.
absl::StatusOr<Answer> CreateCluster(Call& call);
absl::StatusOr<Answer> ListClusters(Call& call);
absl::StatusOr<Answer> ShowCluster(Call& call);
absl::StatusOr<Answer> UpdateCluster(Call& call);
absl::StatusOr<Answer> DeleteCluster(Call& call);

std::vector<Member> CreateClusterMembers();
std::vector<Member> UpdateClusterMembers();
Shape ClusterShape();

// PUT of a link: the rows of ":id" and of the second parameter belong together from now on.
absl::StatusOr<Answer> MoveScheduler(Call& call);
absl::StatusOr<Answer> MoveSeedPeer(Call& call);
absl::StatusOr<Answer> LinkClusters(Call& call);

}  // namespace dragonfly::manager::rest
