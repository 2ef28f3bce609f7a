#pragma once

// The thread that runs libcurl, behind client.h. Not for other modules.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/http/client.h"
#include "common/http/url.h"

namespace dragonfly::common::http {

inline constexpr size_t kMaxChunkBytes = size_t{256} << 10;
inline constexpr size_t kMaxHeaderBytes = size_t{64} << 10;

// One request to one URL (a hop): between the thread of libcurl and an executor.
// Members are the reader's until Start, then libcurl's thread's, except what the mutex guards.
class Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(async::Executor executor, Request the_request, UrlParts the_parts, int the_hop);

  // --- on the executor ---
  std::optional<absl::Status> HeadOrEnd();  // OK: the head is there
  int http_status() const { return http_status_; }
  const HeaderList& headers() const { return headers_; }
  std::optional<absl::StatusOr<Chunk>> TryRead(bool& resume);
  // Nobody reads any more. `discard`: let a short rest come in, so that the connection can be used
  // again.
  void Detach(bool discard);

  // --- on libcurl's thread ---
  size_t TakeHeader(std::string_view line);
  size_t TakeBody(const char* data, size_t size);  // or CURL_WRITEFUNC_PAUSE
  void End(absl::Status status);
  bool head_done();
  absl::Status AllowAddress(const net::IpAddress& address, uint16_t port);
  void RequestSent() { sent_at_ = std::chrono::steady_clock::now(); }
  std::optional<std::chrono::steady_clock::time_point> first_byte_deadline();
  std::string Where() const { return Printable(parts); }

  const Request request;
  const UrlParts parts;
  const int hop;
  std::optional<std::string> proxy;
  absl::Status denied;  // what the egress hook said
  bool too_long = false;

  async::Signal changed;  // belongs to the executor

 private:
  void NotifyLocked();

  const async::Executor executor_;
  std::optional<std::chrono::steady_clock::time_point> sent_at_;
  size_t header_bytes_ = 0;
  size_t discarded_ = 0;

  std::mutex mutex_;  // guards what follows; status and headers are constant once head_ is set
  int http_status_ = 0;
  HeaderList headers_;
  bool head_ = false;
  bool any_header_ = false;
  std::deque<Chunk> body_;
  size_t buffered_ = 0;
  bool paused_ = false;
  bool discard_ = false;
  bool attached_ = true;
  bool notify_posted_ = false;
  std::optional<absl::Status> end_;
};

// Threading: any thread.
class CurlLoop {
 public:
  explicit CurlLoop(HttpClient::Options options);
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;
  ~CurlLoop();

  absl::Status Start(std::shared_ptr<Transfer> transfer);
  void Resume(std::shared_ptr<Transfer> transfer);
  void Abort(std::shared_ptr<Transfer> transfer);
  const HttpClient::Options& options() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::common::http
