// Downloads one task after another through a daemon and prints how long each call took; the half of
// the benchmark that must not be slow itself (run.py is the other one).
//
//   small_task_probe SOCKET < URLS     one line "MILLISECONDS" for each URL

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "proto/dfdaemon_v2.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

::dfdaemon::v2::DownloadTaskRequest RequestFor(const std::string& url) {
  ::dfdaemon::v2::DownloadTaskRequest request;
  ::common::v2::Download& download = *request.mutable_download();
  download.set_url(url);
  download.set_type(::common::v2::STANDARD);
  download.set_priority(::common::v2::LEVEL6);
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: small_task_probe SOCKET < URLS\n");
    return 2;
  }
  const std::shared_ptr<::grpc::Channel> channel =
      ::grpc::CreateChannel("unix:" + std::string(argv[1]), ::grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
    std::fprintf(stderr, "small_task_probe: nobody answers on %s\n", argv[1]);
    return 1;
  }
  const auto stub = ::dfdaemon::v2::DfdaemonDownload::NewStub(channel);
  for (std::string url; std::getline(std::cin, url);) {
    const ::dfdaemon::v2::DownloadTaskRequest request = RequestFor(url);
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const Clock::time_point began = Clock::now();
    const auto stream = stub->DownloadTask(&context, request);
    ::dfdaemon::v2::DownloadTaskResponse response;
    while (stream->Read(&response)) {
    }
    const ::grpc::Status status = stream->Finish();
    const std::chrono::duration<double, std::milli> took = Clock::now() - began;
    if (!status.ok()) {
      std::fprintf(stderr, "small_task_probe: %s: %s\n", url.c_str(),
                   status.error_message().c_str());
      return 1;
    }
    std::printf("%.3f\n", took.count());
  }
  return 0;
}
