#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/digest/crc32.h"
#include "common/digest/hasher.h"
#include "common/os/env.h"
#include "common/trace/testing/recorded_spans.h"
#include "common/trace/tracer.h"
#include "dfdaemon/node/testing/fake_parent_dialer.h"
#include "dfdaemon/node/testing/fake_scheduler_client.h"
#include "dfdaemon/source/testing/fake_source.h"
#include "dfdaemon/storage/open_store.h"
#include "dfdaemon/task/engine.h"
#include "dfdaemon/transfer/testing/fake_piece_client.h"
#include "dfdaemon/transfer/testing/memory_provider.h"

namespace dragonfly::dfdaemon::task {

using common::id::TaskKey;
using common::id::TaskKind;
using node::testing::FakeParentDialer;
using node::testing::FakeSchedulerClient;
using source::testing::FakeContent;
using source::testing::FakeSource;

inline constexpr uint64_t kPiece = uint64_t{4} << 20;

// A caller that remembers what it was told.
class Caller : public Consumer {
 public:
  void OnStarted(const DownloadStarted& started) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(started_.has_value()) << "started twice";
    EXPECT_TRUE(pieces_.empty()) << "pieces before the start";
    started_ = started;
  }
  void OnPiece(const core::PieceInfo& piece) override {
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(started_.has_value());
    for (const core::PieceInfo& told : pieces_)
      EXPECT_NE(told.number, piece.number) << "told twice";
    pieces_.push_back(piece);
    changed_.notify_all();
  }
  void OnFinished(const absl::Status& status) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(finished_) << "finished twice";
    finished_ = true;
    status_ = status;
    changed_.notify_all();
  }

  absl::Status Wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [this] { return finished_; })) {
      return absl::DeadlineExceededError("the request did not finish");
    }
    return status_;
  }
  bool WaitForPieces(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60),
                             [&] { return pieces_.size() >= count || finished_; });
  }
  std::vector<core::PieceInfo> pieces() const {
    std::lock_guard lock(mutex_);
    return pieces_;
  }
  std::optional<DownloadStarted> started() const {
    std::lock_guard lock(mutex_);
    return started_;
  }
  bool finished() const {
    std::lock_guard lock(mutex_);
    return finished_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<DownloadStarted> started_;
  std::vector<core::PieceInfo> pieces_;
  bool finished_ = false;
  absl::Status status_;
};

// A node in one process: the real engine and storage, everything around them scripted.
class EngineWorld : public ::testing::TestWithParam<TaskKind> {
 protected:
  EngineWorld() : runtime_(2, "test"), pool_(std::make_unique<common::async::BlockingPool>(2, 64)) {
    char name[] = "/tmp/dragonfly-engine-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~EngineWorld() override {
    if (engine_ != nullptr) engine_->Shutdown(absl::Seconds(30));
    // In this order: jobs use the store and post to the runtime.
    pool_.reset();
    runtime_.Stop();
    engine_.reset();
    store_.reset();
    (void)common::os::PosixEnv().RemoveTree(folder_);
  }

  // Starts the engine; `script` is how the schedulers behave.
  void Start(FakeSchedulerClient::Script script, bool knows_lazy_stat = true) {
    storage::StoreOptions options;
    options.dir = folder_ + "/data";
    options.keep = true;
    absl::StatusOr<std::unique_ptr<storage::ContentStore>> store =
        storage::OpenStore(common::os::PosixEnv(), options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
    source_ = std::make_shared<FakeSource>();
    sources_.Add("http", source_);
    schedulers_ = std::make_unique<FakeSchedulerClient>(std::move(script), 1, knows_lazy_stat);
    EngineDeps deps;
    deps.runtime = &runtime_;
    deps.pool = pool_.get();
    deps.env = &common::os::PosixEnv();
    deps.store = store_.get();
    deps.schedulers = schedulers_.get();
    deps.dialer = &dialer_;
    deps.pieces = &pieces_;
    deps.sources = &sources_;
    deps.tracer = tracer_;
    EngineOptions engine_options;
    engine_options.host_id = "this-host";
    engine_options.trace_to_origin = trace_to_origin_;
    engine_options.host_ip = "127.0.0.1";
    engine_options.hostname = "test";
    engine_options.core = core_options_;
    engine_ = MakeTaskEngine(deps, engine_options);
  }

  TaskKey Key() const { return {GetParam(), std::string(64, 'a')}; }
  DownloadRequest Request(const std::string& output = "") const {
    DownloadRequest request;
    request.key = Key();
    request.url = "http://origin/file";
    request.requester = source::Requester::kLocalUser;
    if (!output.empty()) {
      request.output.emplace();
      request.output->path = folder_ + "/" + output;
    }
    return request;
  }
  std::string ReadOutput(const std::string& name) const {
    absl::StatusOr<std::unique_ptr<common::os::File>> file =
        common::os::PosixEnv().Open(folder_ + "/" + name, common::os::OpenMode::kRead);
    if (!file.ok()) return "no such file";
    std::string bytes(static_cast<size_t>((*file)->Stat()->size), '\0');
    EXPECT_TRUE((*file)->ReadAt(0, std::as_writable_bytes(std::span<char>(bytes))).ok());
    EXPECT_TRUE((*file)->Close().ok());
    return bytes;
  }
  // Content that a test can compare.
  static std::string Content(uint64_t length) {
    std::string content(static_cast<size_t>(length), '\0');
    uint32_t state = 12345;
    for (char& c : content) {
      state = state * 1664525 + 1013904223;
      c = static_cast<char>(state >> 24U);
    }
    return content;
  }
  // A parent that has all of `content`, reachable through the fake dialer and client.
  core::ParentInfo AddParent(const std::string& content, uint16_t port, bool corrupt = false) {
    auto provider = std::make_unique<transfer::testing::MemoryProvider>();
    core::Geometry geometry{kPiece, content.size()};
    for (core::PieceNumber n = 0; n < *geometry.piece_count(); ++n) {
      transfer::testing::MemoryPiece piece;
      const std::string bytes = content.substr(static_cast<size_t>(geometry.offset_of(n)),
                                               static_cast<size_t>(geometry.length_of(n)));
      piece.head.number = n;
      piece.head.offset = geometry.offset_of(n);
      piece.head.length = geometry.length_of(n);
      piece.head.crc32 = common::digest::Crc32(bytes);
      const auto view = std::as_bytes(std::span<const char>(bytes));
      piece.bytes.assign(view.begin(), view.end());
      if (corrupt) piece.bytes[0] ^= std::byte{1};
      provider->Put(Key(), n, std::move(piece));
    }
    core::ParentInfo parent;
    parent.peer_id = "parent-" + std::to_string(port);
    parent.host_id = "host-" + std::to_string(port);
    parent.ip = "127.0.0.1";
    parent.port = port;
    parent.content_length = content.size();
    parent.piece_count = *geometry.piece_count();
    const absl::StatusOr<common::net::Endpoint> endpoint =
        common::net::Endpoint::Parse("127.0.0.1:" + std::to_string(port));
    pieces_.AddParent(*endpoint, *provider);
    providers_.push_back(std::move(provider));
    return parent;
  }

  common::async::Runtime runtime_;
  std::unique_ptr<common::async::BlockingPool> pool_;
  std::string folder_;
  core::CoreOptions core_options_;
  common::trace::Tracer tracer_;  // off unless a test says so, before Start
  bool trace_to_origin_ = false;
  std::unique_ptr<storage::ContentStore> store_;
  std::shared_ptr<FakeSource> source_;
  source::SourceRegistry sources_;
  std::unique_ptr<FakeSchedulerClient> schedulers_;
  // Parents offer everything they are asked for, at the port of their gRPC service.
  FakeParentDialer dialer_{[](const FakeParentDialer::HandlePtr& link) {
    const core::ParentInfo& parent = link->parent();
    transfer::PieceTarget target;
    target.endpoint = *common::net::Endpoint::Parse(parent.ip + ":" + std::to_string(parent.port));
    link->SetTarget(target);
    link->Offer(core::Geometry{kPiece, parent.content_length}, link->interested());
    link->Say(core::ParentEnded{parent.peer_id, absl::OkStatus()});
  }};
  transfer::testing::FakePieceClient pieces_;
  std::vector<std::unique_ptr<transfer::testing::MemoryProvider>> providers_;
  std::unique_ptr<TaskEngine> engine_;
};

}  // namespace dragonfly::dfdaemon::task
