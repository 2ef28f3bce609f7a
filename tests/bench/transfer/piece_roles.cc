// Our data path as the daemon runs it: content store, piece server and client, journal commits.

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <vector>

#include "common/async/runtime.h"
#include "common/async/task_group.h"
#include "common/crypto/testing/test_authority.h"
#include "common/os/env.h"
#include "dfdaemon/storage/open_store.h"
#include "dfdaemon/transfer/vortex_tcp_client.h"
#include "dfdaemon/transfer/vortex_tcp_server.h"
#include "dfdaemon/upload/store_piece_provider.h"
#include "tests/bench/transfer/grpc_transport.h"
#include "tests/bench/transfer/process.h"
#include "tests/bench/transfer/roles.h"

namespace dragonfly::bench {
namespace {

namespace async = common::async;
namespace core = dfdaemon::core;
namespace storage = dfdaemon::storage;
namespace transfer = dfdaemon::transfer;
namespace upload = dfdaemon::upload;

constexpr size_t kPoolBlock = transfer::BlockPool::kHeadroom + core::kBlockBytes;
constexpr size_t kPoolBudget = size_t{32} << 20;

void Check(const absl::Status& status, const char* what) {
  if (!status.ok()) Die(std::string(what) + ": " + status.ToString());
}

storage::TaskKey Key() {
  storage::TaskKey key;
  key.id = std::string(64, 'b');
  return key;
}

std::unique_ptr<storage::ContentStore> OpenStore(const RoleOptions& options) {
  storage::StoreOptions store_options;
  store_options.dir = options.dir + "/store";
  store_options.high_percent = 99;
  auto store = storage::OpenStore(common::os::PosixEnv(), store_options);
  Check(store.status(), "opening a store");
  return std::move(*store);
}

std::shared_ptr<storage::TaskFile> CreateTask(storage::ContentStore& store,
                                              const RoleOptions& options) {
  storage::CreateOptions create;
  create.piece_length = options.piece_bytes;
  create.content_length = options.content_bytes;
  auto file = store.Create(Key(), create);
  Check(file.status(), "creating a task");
  return std::move(*file);
}

void FillStore(storage::TaskFile& file, const RoleOptions& options) {
  const core::Geometry geometry = file.meta().geometry;
  std::vector<unsigned char> block(core::kBlockBytes);
  for (core::PieceNumber number = 0; number < *geometry.piece_count(); ++number) {
    auto writer = file.Begin(number);
    Check(writer.status(), "beginning a piece");
    const uint64_t length = geometry.length_of(number);
    for (uint64_t done = 0; done < length; done += block.size()) {
      const auto size = static_cast<size_t>(std::min<uint64_t>(block.size(), length - done));
      FillContent(options.seed, geometry.offset_of(number) + done, block.data(), size);
      Check((*writer)->Write(std::as_bytes(std::span(block.data(), size)), true), "writing");
    }
    Check((*writer)
              ->Commit(std::nullopt, "", core::TrafficType::kBackToSource, absl::ZeroDuration())
              .status(),
          "committing a piece");
  }
}

std::vector<async::Executor> Executors(const async::Runtime& runtime) {
  std::vector<async::Executor> executors;
  for (size_t i = 0; i < runtime.cores(); ++i) executors.push_back(runtime.executor(i));
  return executors;
}

class StoreSink final : public transfer::PieceSink {
 public:
  explicit StoreSink(storage::TaskFile& file) : file_(file) {}
  absl::Status OnHead(const transfer::PieceHead& head) override {
    crc32_ = head.crc32;
    auto writer = file_.Begin(head.number);
    if (!writer.ok()) return writer.status();
    writer_ = std::move(*writer);
    return absl::OkStatus();
  }
  absl::Status OnBytes(std::span<const std::byte> bytes, bool verified) override {
    return writer_->Write(bytes, verified);
  }
  absl::Status Commit() {
    return writer_->Commit(crc32_, "parent", core::TrafficType::kRemotePeer, absl::ZeroDuration())
        .status();
  }

 private:
  storage::TaskFile& file_;
  std::unique_ptr<storage::PieceWriter> writer_;
  std::optional<uint32_t> crc32_;
};

class Child {
 public:
  explicit Child(const RoleOptions& options)
      : options_(options),
        store_(OpenStore(options)),
        runtime_(options.cores, "child"),
        pool_(kPoolBlock, kPoolBudget),
        client_(MakeClient()) {}

  std::string Run(const std::string& command) {
    std::istringstream in(command);
    std::string verb;
    unsigned port = 0;
    transfer::PieceTarget target;
    in >> verb >> port >> target.keepalive;
    target.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
    target.endpoint.port = static_cast<uint16_t>(port);
    target.tls = !options_.tls.empty();
    const auto began = std::chrono::steady_clock::now();
    file_ = CreateTask(*store_, options_);
    next_ = 0;
    // A task belongs to one core.
    const async::Executor executor = runtime_.executor(0);
    async::RunToEnd(executor, [&]() -> async::Co<void> {
      async::TaskGroup group(executor);
      async::CancelScope scope(executor, absl::Minutes(5));
      for (size_t i = 0; i < options_.connections; ++i) group.Spawn(FetchPieces(scope, target));
      co_await group.Join();
    });
    if (!file_->complete()) Die("the child's task is not complete");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    file_.reset();
    Check(store_->Delete(Key()), "deleting the copy");
    return std::to_string(took.count());
  }

 private:
  std::unique_ptr<transfer::PieceClient> MakeClient() {
    if (options_.transport == "grpc") return MakeGrpcClient(OpenTls(options_));
    transfer::VortexTcpClientOptions client;
    client.tls = OpenTls(options_);
    return std::make_unique<transfer::VortexTcpClient>(std::move(client), Executors(runtime_),
                                                       pool_);
  }
  async::Co<void> FetchPieces(async::CancelScope& scope, transfer::PieceTarget target) {
    const core::Geometry geometry = file_->meta().geometry;
    while (next_ < *geometry.piece_count()) {
      const core::PieceNumber number = next_++;
      transfer::PieceRequest request;
      request.key = Key();
      request.number = number;
      request.offset = geometry.offset_of(number);
      request.length = geometry.length_of(number);
      StoreSink sink(*file_);
      absl::Status fetched = co_await client_->Fetch(scope, target, request, sink);
      Check(fetched, "fetching");
      Check(sink.Commit(), "committing");
    }
  }

  const RoleOptions options_;
  std::unique_ptr<storage::ContentStore> store_;
  async::Runtime runtime_;
  transfer::BlockPool pool_;
  const std::unique_ptr<transfer::PieceClient> client_;
  std::shared_ptr<storage::TaskFile> file_;
  core::PieceNumber next_ = 0;
};

void ServeUntilTheEnd(uint16_t port) {
  ServeCommands(
      std::to_string(port),
      [](void*, const std::string&) { return std::string("error unknown command"); }, nullptr);
}

}  // namespace

std::shared_ptr<common::crypto::TlsSource> OpenTls(const RoleOptions& options) {
  if (options.tls.empty()) return nullptr;
  common::crypto::TlsFiles files;
  files.ca_cert = options.tls + "/ca.pem";
  files.cert = options.tls + "/cert.pem";
  files.key = options.tls + "/key.pem";
  return common::crypto::testing::OpenSource(files, absl::Hours(1));
}

void RunPieceParent(const RoleOptions& options) {
  std::unique_ptr<storage::ContentStore> store = OpenStore(options);
  std::shared_ptr<storage::TaskFile> file = CreateTask(*store, options);
  FillStore(*file, options);
  async::Runtime runtime(options.cores, "parent");
  transfer::BlockPool pool(kPoolBlock, kPoolBudget);
  upload::StorePieceProvider provider(upload::StorePieceProviderOptions(), *store,
                                      common::os::PosixEnv().clock(), nullptr, nullptr);
  if (options.transport == "grpc") {
    const GrpcParent server(Executors(runtime), provider, OpenTls(options));
    ServeUntilTheEnd(server.port());
    return;
  }
  transfer::VortexTcpServerOptions server_options;
  server_options.endpoint.ip = common::net::IpAddress::V4({127, 0, 0, 1});
  server_options.tls = OpenTls(options);
  server_options.send_engine = options.engine == "sendfile" ? transfer::SendEngine::kSendFile
                                                            : transfer::SendEngine::kReadSend;
  transfer::VortexTcpServer server(server_options, Executors(runtime), provider, pool);
  Check(server.Start(), "starting the server");
  ServeUntilTheEnd(server.endpoint().port);
}

void RunPieceChild(const RoleOptions& options) {
  Child child(options);
  ServeCommands(
      "ready",
      [](void* context, const std::string& command) {
        return static_cast<Child*>(context)->Run(command);
      },
      &child);
}

}  // namespace dragonfly::bench
