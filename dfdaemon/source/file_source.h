#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/os/env.h"
#include "dfdaemon/source/source.h"

namespace dragonfly::dfdaemon::source {

struct FileSourceOptions {
  // Only what lies below, after links are resolved, is read. Must not be empty: a daemon may read
  // files that its callers may not.
  std::string root;
  bool allow_network = false;  // also for requests that came by network
};

// file:///path for content on the daemon's own machine: for trying things out and for tests. Not
// registered unless configured.
//
// The validator is made of inode, size and time of change. Errors: kNotFound, kForbidden (outside
// of root, or asked for by network), kOriginChanged. Put: UNIMPLEMENTED. Thread: any executor; the
// pool and the Env outlive it and its streams.
class FileSource : public Source {
 public:
  FileSource(common::os::Env& env, common::async::BlockingPool& pool, FileSourceOptions options);

  common::async::Co<absl::StatusOr<SourceHead>> Stat(common::async::CancelScope& scope,
                                                     SourceRequest request) override;
  common::async::Co<absl::StatusOr<std::unique_ptr<SourceStream>>> Read(
      common::async::CancelScope& scope, SourceRequest request,
      std::optional<core::ByteRange> range) override;
  common::async::Co<absl::StatusOr<std::vector<SourceEntry>>> List(
      common::async::CancelScope& scope, SourceRequest request) override;
  common::async::Co<absl::Status> Put(common::async::CancelScope& scope, SourceRequest request,
                                      std::string path, uint64_t length) override;

 private:
  common::os::Env& env_;
  common::async::BlockingPool& pool_;
  FileSourceOptions options_;
};

}  // namespace dragonfly::dfdaemon::source
