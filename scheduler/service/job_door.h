#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/oci/image_resolver.h"
#include "common/rpc/stream.h"
#include "proto/scheduler_v2.pb.h"
#include "scheduler/job/directory_lister.h"
#include "scheduler/job/job_executor.h"

namespace dragonfly::scheduler::service {

// The gRPC door of jobs: PreheatImage, StatImage, PreheatFile and StatFile
// (docs/reference/jobs.md). An image is resolved and a directory listed before a preheat is
// answered; the preheat itself then goes on by itself, and its end is told in the log.
//
// Threading: everything but the constructor, Stop and the destructor belongs to the executor.
class JobDoor {
 public:
  using Empty = google::protobuf::Empty;
  template <typename Resp>
  using Answer = common::async::Co<absl::StatusOr<Resp>>;

  struct Options {
    // Beyond it a caller's preheat is RESOURCE_EXHAUSTED. A caller is an address.
    size_t preheats_per_caller = 16;
    // Blobs of images are named by their digest, as the daemons' proxies have it.
    bool blob_digest_ids = false;
  };
  // What is pointed to must outlive the door.
  struct Deps {
    job::JobExecutor* jobs = nullptr;
    const job::DirectoryLister* lister = nullptr;
    const common::oci::ImageResolver* images = nullptr;
  };

  JobDoor(common::async::Executor executor, const Deps& deps, const Options& options);
  JobDoor(const JobDoor&) = delete;
  JobDoor& operator=(const JobDoor&) = delete;
  ~JobDoor();  // Stop()

  // Where calls run.
  common::async::Executor executor() const { return executor_; }
  common::async::CancelScope& scope() { return scope_; }
  common::async::TaskGroup& group() { return group_; }

  Answer<Empty> PreheatImage(common::async::CancelScope& scope, common::rpc::CallInfo info,
                             ::scheduler::v2::PreheatImageRequest request);
  Answer<Empty> PreheatFile(common::async::CancelScope& scope, common::rpc::CallInfo info,
                            ::scheduler::v2::PreheatFileRequest request);
  Answer<::scheduler::v2::StatImageResponse> StatImage(common::async::CancelScope& scope,
                                                       common::rpc::CallInfo info,
                                                       ::scheduler::v2::StatImageRequest request);
  Answer<::scheduler::v2::StatFileResponse> StatFile(common::async::CancelScope& scope,
                                                     common::rpc::CallInfo info,
                                                     ::scheduler::v2::StatFileRequest request);

  // Cancels what runs, the preheats too, and waits for it.
  void Stop();

 private:
  struct Preheats;

  common::async::Co<absl::StatusOr<common::oci::Image>> Resolve(
      common::async::CancelScope& scope, common::oci::ImageRequest request) const;
  // The URL itself, or the files in the directory that it names.
  template <typename Request>
  common::async::Co<absl::StatusOr<std::vector<std::string>>> FilesOf(
      common::async::CancelScope& scope, common::rpc::CallInfo info, const Request& request) const;
  absl::Status StartPreheat(const common::rpc::CallInfo& info, const std::string& what,
                            job::Job job);
  absl::Status AdmitPreheat(const common::rpc::CallInfo& info) const;

  const common::async::Executor executor_;
  const Deps deps_;
  const Options options_;
  bool stopped_ = false;  // the owner's
  common::async::CancelScope scope_;
  common::async::TaskGroup group_;
  std::shared_ptr<Preheats> preheats_;  // shared with observers of what runs
};

}  // namespace dragonfly::scheduler::service
