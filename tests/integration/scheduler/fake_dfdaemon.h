#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::tests {

// A daemon on a free port of loopback that remembers what it was asked for. Threading: any thread.
class FakeDfdaemon final : private ::dfdaemon::v2::DfdaemonUpload::Service {
 public:
  FakeDfdaemon();
  ~FakeDfdaemon() override;
  FakeDfdaemon(const FakeDfdaemon&) = delete;
  FakeDfdaemon& operator=(const FakeDfdaemon&) = delete;

  int port() const { return port_; }
  // Of downloads from now on; the default is OK.
  void AnswerDownloads(::grpc::Status status);
  // Downloads wait until they are cancelled.
  void Hang();
  // Has this task: all of it, or a part.
  void Hold(const std::string& task_id, bool finished);
  void List(const std::string& url, std::vector<std::string> files,
            const std::string& directory = "");

  std::vector<::common::v2::Download> downloads() const;
  bool Holds(const std::string& task_id) const;
  // Downloads that were asked for reach `count` within ten seconds.
  bool WaitForDownloads(size_t count);

 private:
  using Context = ::grpc::ServerContext;
  ::grpc::Status DownloadTask(
      Context* context, const ::dfdaemon::v2::DownloadTaskRequest* request,
      ::grpc::ServerWriter<::dfdaemon::v2::DownloadTaskResponse>* writer) override;
  ::grpc::Status StatLocalTask(Context* context,
                               const ::dfdaemon::v2::StatLocalTaskRequest* request,
                               ::dfdaemon::v2::StatLocalTaskResponse* response) override;
  ::grpc::Status DeleteTask(Context* context, const ::dfdaemon::v2::DeleteTaskRequest* request,
                            google::protobuf::Empty* response) override;
  ::grpc::Status ListTaskEntries(Context* context,
                                 const ::dfdaemon::v2::ListTaskEntriesRequest* request,
                                 ::dfdaemon::v2::ListTaskEntriesResponse* response) override;

  int port_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool hangs_ = false;
  ::grpc::Status answer_;
  std::vector<::common::v2::Download> downloads_;
  std::map<std::string, bool> tasks_;
  std::map<std::string, ::dfdaemon::v2::ListTaskEntriesResponse> listings_;
  std::unique_ptr<::grpc::Server> server_;
};

}  // namespace dragonfly::tests
