#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "common/async/blocking_pool.h"
#include "common/os/env.h"
#include "dfdaemon/source/file_source.h"
#include "dfdaemon/source/testing/fake_source.h"
#include "dfdaemon/source/testing/source_conformance.h"
#include "gtest/gtest.h"

namespace dragonfly::dfdaemon::source::testing {
namespace {

class FakeWorld : public SourceWorld {
 public:
  Source& source() override { return source_; }
  std::string Publish(const std::string& name, const std::string& body) override {
    FakeContent content;
    content.body = body;
    content.etag = "\"v" + std::to_string(++version_) + "\"";
    source_.Set("fake://origin/" + name, content);
    return "fake://origin/" + name;
  }
  std::string Missing() override { return "fake://origin/missing"; }

 private:
  FakeSource source_;
  int version_ = 0;
};

class FileWorld : public SourceWorld {
 public:
  FileWorld()
      : root_(MakeRoot()), pool_(2, 64), source_(common::os::PosixEnv(), pool_, Options(root_)) {}
  ~FileWorld() override { std::filesystem::remove_all(root_); }
  Source& source() override { return source_; }
  std::string Publish(const std::string& name, const std::string& body) override {
    std::ofstream(root_ + "/" + name, std::ios::binary | std::ios::trunc) << body;
    return "file://" + root_ + "/" + name;
  }
  std::string Missing() override { return "file://" + root_ + "/missing"; }

 private:
  static std::string MakeRoot() {
    std::string path = ::testing::TempDir() + "/file-source-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::perror("mkdtemp");
    return path;
  }
  static FileSourceOptions Options(const std::string& root) {
    FileSourceOptions options;
    options.root = root;
    return options;
  }
  std::string root_;
  common::async::BlockingPool pool_;
  FileSource source_;
};

INSTANTIATE_TEST_SUITE_P(Fake, SourceConformance, ::testing::Values([](common::async::Runtime&) {
                           return std::make_unique<FakeWorld>();
                         }));
INSTANTIATE_TEST_SUITE_P(File, SourceConformance, ::testing::Values([](common::async::Runtime&) {
                           return std::make_unique<FileWorld>();
                         }));

}  // namespace
}  // namespace dragonfly::dfdaemon::source::testing
