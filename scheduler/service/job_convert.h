#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/oci/image_resolver.h"
#include "proto/scheduler_v2.pb.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::service {

// Between the messages of the job RPCs and the jobs, with the defaults of what is not set. Requests
// have passed proto/rules. INVALID_ARGUMENT names the field.

// Without URLs; of images, without what the registry asks for.
absl::StatusOr<job::Preheat> PreheatOf(const ::scheduler::v2::PreheatImageRequest& request);
absl::StatusOr<job::Preheat> PreheatOf(const ::scheduler::v2::PreheatFileRequest& request);
// The same as far as it names tasks and reaches the origin.
absl::StatusOr<job::Preheat> NamingOf(const ::scheduler::v2::StatImageRequest& request);
absl::StatusOr<job::Preheat> NamingOf(const ::scheduler::v2::StatFileRequest& request);

absl::StatusOr<common::oci::ImageRequest> ImageRequestOf(
    const ::scheduler::v2::PreheatImageRequest& request);
absl::StatusOr<common::oci::ImageRequest> ImageRequestOf(
    const ::scheduler::v2::StatImageRequest& request);

// An hour when it is not set or zero.
absl::Duration JobTimeout(bool set, const google::protobuf::Duration& timeout);
// `otherwise` when it is not set or zero.
uint32_t CountOr(int64_t count, uint32_t otherwise);

inline constexpr uint32_t kDefaultConcurrentTasks = 8;
inline constexpr uint32_t kDefaultConcurrentPeers = 500;
inline constexpr uint32_t kDefaultConcurrentLayers = 8;

}  // namespace dragonfly::scheduler::service
