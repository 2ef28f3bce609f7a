#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/digest/crc32.h"
#include "common/digest/digest.h"
#include "common/rpc/status.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfget::cli {

// DfdaemonDownload on a unix socket, whose DownloadTask is a function of the test. It can tell
// whether the caller has gone away.
class FakeDaemon final : public ::dfdaemon::v2::DfdaemonDownload::Service {
 public:
  using Request = ::dfdaemon::v2::DownloadTaskRequest;
  using Response = ::dfdaemon::v2::DownloadTaskResponse;
  using Writer = ::grpc::ServerWriter<Response>;
  using Script = std::function<absl::Status(FakeDaemon&, const Request&, Writer&)>;

  FakeDaemon(const std::string& socket, Script script) : script_(std::move(script)) {
    ::grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket, ::grpc::InsecureServerCredentials());
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr) << socket;
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;
  ~FakeDaemon() override { server_->Shutdown(std::chrono::system_clock::now()); }

  // The last request.
  Request request() const {
    std::lock_guard lock(mutex_);
    return request_;
  }
  // What came beside it as metadata; empty: nothing.
  std::string metadata(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = metadata_.find(name);
    return found == metadata_.end() ? std::string() : found->second;
  }
  int calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  // Until the caller is there, or its cancellation has been seen by WaitForCancel.
  bool WaitForCall() {
    return Wait([this] { return calls_ > 0; });
  }
  bool WaitForCancelled() {
    return Wait([this] { return cancelled_; });
  }

  // For scripts: blocks until the caller has gone away.
  absl::Status HoldUntilCancelled() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    std::unique_lock lock(mutex_);
    while (!context_->IsCancelled() && std::chrono::steady_clock::now() < deadline) {
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    cancelled_ = context_->IsCancelled();
    changed_.notify_all();
    return absl::CancelledError("gone");
  }

  // For scripts: trailing metadata as a daemon that gives no reasons, an upstream one, sends it.
  bool gives_reasons = true;

  ::grpc::Status DownloadTask(::grpc::ServerContext* context, const Request* request,
                              Writer* writer) override {
    {
      std::lock_guard lock(mutex_);
      request_ = *request;
      for (const auto& [name, value] : context->client_metadata()) {
        metadata_[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
      }
      context_ = context;
      ++calls_;
      changed_.notify_all();
    }
    const absl::Status status = script_(*this, *request, *writer);
    if (!status.ok() && gives_reasons) {
      context->AddTrailingMetadata(std::string(common::rpc::kReasonKey),
                                   common::rpc::ReasonForWire(status));
    }
    return common::rpc::ToGrpc(status);
  }

 private:
  template <typename Condition>
  bool Wait(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), condition);
  }

  const Script script_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Request request_;
  std::map<std::string, std::string> metadata_;
  ::grpc::ServerContext* context_ = nullptr;
  int calls_ = 0;
  bool cancelled_ = false;
  std::unique_ptr<::grpc::Server> server_;
};

inline constexpr char kTaskId[] =
    "3f5c000000000000000000000000000000000000000000000000000000000000";

inline FakeDaemon::Response NewResponse() {
  FakeDaemon::Response response;
  response.set_host_id("host");
  response.set_task_id(kTaskId);
  response.set_peer_id("peer");
  return response;
}

// Announces `count` pieces of `piece_length`, the last of them as long as is left.
inline FakeDaemon::Response Started(uint64_t content_length, uint64_t piece_length) {
  FakeDaemon::Response response = NewResponse();
  auto& started = *response.mutable_download_task_started_response();
  started.set_content_length(content_length);
  uint32_t number = 0;
  for (uint64_t offset = 0; offset < content_length; offset += piece_length) {
    ::common::v2::Piece& piece = *started.add_pieces();
    piece.set_number(number++);
    piece.set_offset(offset);
    piece.set_length(std::min(piece_length, content_length - offset));
  }
  return response;
}

inline FakeDaemon::Response PieceDone(uint32_t number, uint64_t offset, const std::string& content,
                                      ::common::v2::TrafficType from, bool with_content) {
  FakeDaemon::Response response = NewResponse();
  auto& piece = *response.mutable_download_piece_finished_response()->mutable_piece();
  piece.set_number(number);
  piece.set_offset(offset);
  piece.set_length(content.size());
  piece.set_digest(common::digest::Crc32Text(common::digest::Crc32(content)));
  piece.set_traffic_type(from);
  if (with_content) piece.set_content(content);
  return response;
}

}  // namespace dragonfly::dfget::cli
