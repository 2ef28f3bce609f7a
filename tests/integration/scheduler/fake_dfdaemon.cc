#include "tests/integration/scheduler/fake_dfdaemon.h"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace dragonfly::tests {

namespace v2 = ::dfdaemon::v2;

FakeDfdaemon::FakeDfdaemon() {
  ::grpc::EnableDefaultHealthCheckService(true);
  ::grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", ::grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("no port for a daemon");
}

FakeDfdaemon::~FakeDfdaemon() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void FakeDfdaemon::AnswerDownloads(::grpc::Status status) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(status);
}

void FakeDfdaemon::Hang() {
  const std::lock_guard lock(mutex_);
  hangs_ = true;
}

void FakeDfdaemon::Hold(const std::string& task_id, bool finished) {
  const std::lock_guard lock(mutex_);
  tasks_[task_id] = finished;
}

void FakeDfdaemon::List(const std::string& url, std::vector<std::string> files,
                        const std::string& directory) {
  const std::lock_guard lock(mutex_);
  v2::ListTaskEntriesResponse& listing = listings_[url];
  for (std::string& file : files) listing.add_entries()->set_url(std::move(file));
  if (directory.empty()) return;
  v2::Entry* entry = listing.add_entries();
  entry->set_url(directory);
  entry->set_is_dir(true);
}

std::vector<::common::v2::Download> FakeDfdaemon::downloads() const {
  const std::lock_guard lock(mutex_);
  return downloads_;
}

bool FakeDfdaemon::Holds(const std::string& task_id) const {
  const std::lock_guard lock(mutex_);
  return tasks_.contains(task_id);
}

bool FakeDfdaemon::WaitForDownloads(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return downloads_.size() >= count; });
}

::grpc::Status FakeDfdaemon::DownloadTask(Context* context, const v2::DownloadTaskRequest* request,
                                          ::grpc::ServerWriter<v2::DownloadTaskResponse>* writer) {
  bool hangs = false;
  {
    const std::lock_guard lock(mutex_);
    downloads_.push_back(request->download());
    hangs = hangs_;
  }
  changed_.notify_all();
  while (hangs && !context->IsCancelled())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  v2::DownloadTaskResponse response;
  response.mutable_download_task_started_response()->set_content_length(1);
  writer->Write(response);
  response.mutable_download_piece_finished_response()->mutable_piece()->set_length(1);
  writer->Write(response);
  const std::lock_guard lock(mutex_);
  return answer_;
}

::grpc::Status FakeDfdaemon::StatLocalTask(Context*, const v2::StatLocalTaskRequest* request,
                                           v2::StatLocalTaskResponse* response) {
  const std::lock_guard lock(mutex_);
  const auto task = tasks_.find(request->task_id());
  if (task == tasks_.end()) return ::grpc::Status(::grpc::StatusCode::NOT_FOUND, "no such task");
  response->set_task_id(request->task_id());
  response->mutable_created_at()->set_seconds(1'700'000'000);
  response->mutable_updated_at()->set_seconds(1'700'000'001);
  if (task->second) response->mutable_finished_at()->set_seconds(1'700'000'002);
  return ::grpc::Status::OK;
}

::grpc::Status FakeDfdaemon::DeleteTask(Context*, const v2::DeleteTaskRequest* request,
                                        google::protobuf::Empty*) {
  const std::lock_guard lock(mutex_);
  tasks_.erase(request->task_id());
  return ::grpc::Status::OK;
}

::grpc::Status FakeDfdaemon::ListTaskEntries(Context*, const v2::ListTaskEntriesRequest* request,
                                             v2::ListTaskEntriesResponse* response) {
  const std::lock_guard lock(mutex_);
  const auto listing = listings_.find(request->url());
  if (listing == listings_.end()) {
    return ::grpc::Status(::grpc::StatusCode::INTERNAL, "origin says 404");
  }
  *response = listing->second;
  return ::grpc::Status::OK;
}

}  // namespace dragonfly::tests
