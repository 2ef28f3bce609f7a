#include "tests/integration/scheduler/swarm_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace dragonfly::tests {
namespace {

void FillTimes(pbc::Piece* piece) {
  piece->mutable_cost()->set_nanos(1'000'000);
  piece->mutable_created_at()->set_seconds(1'800'000'000);
}

std::string HeaderOf(const ::grpc::ClientContext& context) {
  const auto& headers = context.GetServerInitialMetadata();
  auto found = headers.find("df-ext");
  return found == headers.end() ? "" : std::string(found->second.data(), found->second.size());
}

}  // namespace

PeerStream::PeerStream(const std::shared_ptr<::grpc::Channel>& channel, std::string host,
                       std::string task, std::string peer, const std::string& extensions)
    : host_(std::move(host)),
      task_(std::move(task)),
      peer_(std::move(peer)),
      stub_(pb::Scheduler::NewStub(channel)) {
  download_.set_url("http://origin.example/file");
  download_.set_actual_content_length(10 * kPiece);
  download_.set_actual_piece_length(kPiece);
  download_.set_actual_piece_count(10);
  if (!extensions.empty()) context_.AddMetadata("df-ext", extensions);
  call_ = stub_->AnnouncePeer(&context_);
  reader_ = std::thread([this] { Read(); });
}

PeerStream::~PeerStream() {
  context_.TryCancel();
  reader_.join();
}

void PeerStream::Read() {
  call_->WaitForInitialMetadata();
  {
    std::lock_guard lock(mutex_);
    extensions_ = HeaderOf(context_);
    changed_.notify_all();
  }
  pb::AnnouncePeerResponse answer;
  while (call_->Read(&answer)) {
    std::lock_guard lock(mutex_);
    answers_.push_back(answer);
    changed_.notify_all();
  }
  ::grpc::Status status = call_->Finish();
  std::lock_guard lock(mutex_);
  status_ = std::move(status);
  changed_.notify_all();
}

void PeerStream::Send(pb::AnnouncePeerRequest request) {
  request.set_host_id(host_);
  request.set_task_id(task_);
  request.set_peer_id(peer_);
  call_->Write(request);
}

void PeerStream::Register() {
  pb::AnnouncePeerRequest request;
  *request.mutable_register_peer_request()->mutable_download() = download_;
  Send(request);
}

void PeerStream::Started() {
  pb::AnnouncePeerRequest request;
  request.mutable_download_peer_started_request();
  Send(request);
}

void PeerStream::SourceStarted() {
  pb::AnnouncePeerRequest request;
  request.mutable_download_peer_back_to_source_started_request();
  Send(request);
}

void PeerStream::SourcePiece(uint32_t number) {
  pb::AnnouncePeerRequest request;
  pbc::Piece* piece =
      request.mutable_download_piece_back_to_source_finished_request()->mutable_piece();
  piece->set_number(number);
  piece->set_offset(number * kPiece);
  piece->set_length(kPiece);
  piece->set_digest("crc32:1234");
  FillTimes(piece);
  Send(request);
}

void PeerStream::SourceFinished() {
  pb::AnnouncePeerRequest request;
  request.mutable_download_peer_back_to_source_finished_request();
  Send(request);
}

void PeerStream::Finished() {
  pb::AnnouncePeerRequest request;
  request.mutable_download_peer_finished_request();
  Send(request);
}

void PeerStream::Reschedule(const pbc::Peer& unusable) {
  pb::AnnouncePeerRequest request;
  *request.mutable_reschedule_peer_request()->add_candidate_parents() = unusable;
  Send(request);
}

std::optional<pb::AnnouncePeerResponse> PeerStream::Next(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [this] { return !answers_.empty() || status_.has_value(); });
  if (answers_.empty()) return std::nullopt;
  pb::AnnouncePeerResponse answer = answers_.front();
  answers_.pop_front();
  return answer;
}

std::optional<::grpc::Status> PeerStream::Ended(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [this] { return status_.has_value(); });
  return status_;
}

std::string PeerStream::Extensions(double seconds) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] {
    return extensions_.has_value();
  })) << "no headers came";
  return extensions_.value_or("");
}

std::string AnnounceHost(const std::shared_ptr<::grpc::Channel>& channel, const std::string& id,
                         int port, bool seed) {
  auto stub = pb::Scheduler::NewStub(channel);
  pb::AnnounceHostRequest request;
  pbc::Host* host = request.mutable_host();
  host->set_id(id);
  host->set_type(seed ? 1 : 0);
  host->set_hostname(id);
  host->set_name("pod-" + id);
  host->set_ip("127.0.0.1");
  host->set_port(port);
  host->set_download_port(port);
  host->mutable_network()->set_max_tx_bandwidth(10'000'000'000);
  host->mutable_network()->set_idc("here");
  request.mutable_interval()->set_seconds(300);
  google::protobuf::Empty answer;
  ::grpc::ClientContext context;
  context.AddMetadata("df-ext", "lazy-stat/1,slice/1");
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const ::grpc::Status status = stub->AnnounceHost(&context, request, &answer);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return HeaderOf(context);
}

}  // namespace dragonfly::tests
