#pragma once

#include <gtest/gtest.h>

#include <string>

#include "common/id/task_key.h"
#include "tests/unit/dfdaemon_core/play.h"

namespace dragonfly::dfdaemon::core {

// The life cycle is one for all kinds of task: every suite runs for each of them.
class KindTest : public ::testing::TestWithParam<common::id::TaskKind> {
 protected:
  Play New(StoredState stored = {}, CoreOptions options = {}) {
    return Play(GetParam(), std::move(stored), options);
  }
};

inline std::string KindName(const ::testing::TestParamInfo<common::id::TaskKind>& info) {
  switch (info.param) {
    case common::id::TaskKind::kStandard:
      return "Standard";
    case common::id::TaskKind::kPersistent:
      return "Persistent";
    case common::id::TaskKind::kPersistentCache:
      return "PersistentCache";
  }
  return "Unknown";
}

#define DF_FOR_ALL_KINDS(suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(AllKinds, suite, ::testing::ValuesIn(common::id::kAllTaskKinds), \
                           KindName)

}  // namespace dragonfly::dfdaemon::core
