#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proto/scheduler_v2.grpc.pb.h"

namespace dragonfly::tests {

namespace pb = ::scheduler::v2;
namespace pbc = ::common::v2;

inline constexpr uint64_t kPiece = 4ULL << 20;

// One AnnouncePeer stream of a daemon that a test plays.
class PeerStream {
 public:
  PeerStream(const std::shared_ptr<::grpc::Channel>& channel, std::string host, std::string task,
             std::string peer, const std::string& extensions = "");
  ~PeerStream();

  pbc::Download* download() { return &download_; }
  void Register();
  void Send(pb::AnnouncePeerRequest request);
  void Started();
  void SourceStarted();
  void SourcePiece(uint32_t number);
  void SourceFinished();
  void Finished();
  void Reschedule(const pbc::Peer& unusable);

  // The next answer, or nothing when none comes within `seconds` or the stream has ended.
  std::optional<pb::AnnouncePeerResponse> Next(double seconds = 10);
  // How the call ended; nothing when it goes on.
  std::optional<::grpc::Status> Ended(double seconds = 10);
  // The response headers' df-ext, once they are here.
  std::string Extensions(double seconds = 10);

 private:
  void Read();

  const std::string host_;
  const std::string task_;
  const std::string peer_;
  pbc::Download download_;
  ::grpc::ClientContext context_;
  std::unique_ptr<pb::Scheduler::Stub> stub_;
  std::unique_ptr<::grpc::ClientReaderWriter<pb::AnnouncePeerRequest, pb::AnnouncePeerResponse>>
      call_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<pb::AnnouncePeerResponse> answers_;
  std::optional<std::string> extensions_;
  std::optional<::grpc::Status> status_;
  std::thread reader_;
};

// Announces a host; seeds are of type 1. Returns the df-ext of the answer.
std::string AnnounceHost(const std::shared_ptr<::grpc::Channel>& channel, const std::string& id,
                         int port = 4000, bool seed = false);

}  // namespace dragonfly::tests
