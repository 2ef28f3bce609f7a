#include "dfdaemon/node/dynconfig_directory.h"

#include <utility>

#include "dfdaemon/node/dynconfig.h"

namespace dragonfly::dfdaemon::node {

using common::async::CancelScope;
using common::async::Co;

DynconfigDirectory::DynconfigDirectory(common::async::BlockingPool& pool, Options options)
    : pool_(pool), options_(std::move(options)) {}

// The file is there at every start; nothing needs to be remembered.
Co<std::optional<SchedulerDirectory::Remembered>> DynconfigDirectory::Recall(
    CancelScope& /*scope*/) {
  co_return std::nullopt;
}

Co<void> DynconfigDirectory::Remember(CancelScope& /*scope*/, uint64_t /*cluster*/) { co_return; }

Co<absl::StatusOr<SchedulerList>> DynconfigDirectory::List(CancelScope& scope,
                                                           std::optional<uint64_t> /*cluster*/) {
  auto read = [path = options_.path] { return LoadDynconfig(path); };
  auto config = co_await common::async::RunBlocking(pool_, scope, std::move(read));
  if (!config.ok()) co_return config.status();
  SchedulerList list;
  for (std::string& target : config->SchedulerTargets()) {
    list.entries.push_back({std::move(target), 0});
  }
  list.block_lists[0] = options_.seed ? config->seed_block_list : config->block_list;
  co_return list;
}

}  // namespace dragonfly::dfdaemon::node
