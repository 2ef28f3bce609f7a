#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/os/env.h"

namespace dragonfly::common::os {

// A fresh directory on the real disk, removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/dragonfly-test-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryDirectory() { EXPECT_TRUE(PosixEnv().RemoveTree(path_).ok()) << path_; }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace dragonfly::common::os
