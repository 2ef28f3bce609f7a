#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/crypto/tls_source.h"
#include "proto/otlp_trace.pb.h"

namespace dragonfly::common::otlp::testing {

// A receiver of traces on loopback, by gRPC and by HTTP, that keeps what it gets and answers as it
// is told. Threading: any thread.
class CaptureReceiver {
 public:
  using Export = ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  using Span = ::opentelemetry::proto::collector::trace::v1::Span;

  // `tls`: of both; null: plaintext.
  explicit CaptureReceiver(std::shared_ptr<crypto::TlsSource> tls = nullptr);
  CaptureReceiver(const CaptureReceiver&) = delete;
  CaptureReceiver& operator=(const CaptureReceiver&) = delete;
  ~CaptureReceiver();

  // "127.0.0.1:4317".
  const std::string& grpc_endpoint() const;
  const std::string& http_endpoint() const;

  struct Got {
    Export message;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string path;                            // of HTTP
  };
  std::vector<Got> got() const;
  // All spans of all batches, in their order.
  std::vector<Span> spans() const;
  // Whether `enough` came true in time.
  bool WaitFor(const std::function<bool(const std::vector<Span>&)>& enough,
               absl::Duration limit = absl::Seconds(20)) const;

  // How the next calls are answered, each once; then all is well again.
  void AnswerGrpc(absl::StatusCode code, int times);
  void AnswerHttp(int status, int times, std::string retry_after = "");
  // Of every good answer: so many spans were not wanted.
  void Reject(int64_t spans);
  // Calls that were answered with an error.
  size_t refused() const;

  struct State;  // shared by the two servers

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::otlp::testing
