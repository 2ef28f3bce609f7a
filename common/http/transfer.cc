#include <curl/curl.h>

#include <algorithm>
#include <charconv>

#include "common/http/curl_loop.h"
#include "common/http/headers.h"
#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

// The body of a redirect is read this far for the sake of its connection.
constexpr size_t kMaxDiscardBytes = size_t{64} << 10;

// "HTTP/1.1 200 OK", "HTTP/2 200".
int StatusOfLine(std::string_view line) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return 0;
  int status = 0;
  (void)std::from_chars(line.data() + blank + 1, line.data() + line.size(), status);
  return status;
}

}  // namespace

Transfer::Transfer(async::Executor executor, Request the_request, UrlParts the_parts, int the_hop)
    : request(std::move(the_request)),
      parts(std::move(the_parts)),
      hop(the_hop),
      changed(executor),
      executor_(executor) {}

std::optional<absl::Status> Transfer::HeadOrEnd() {
  std::lock_guard lock(mutex_);
  if (head_) return absl::OkStatus();
  if (!end_.has_value()) return std::nullopt;
  if (!end_->ok()) return *end_;
  return status::MakeStatus(absl::StatusCode::kDataLoss, status::ErrorReason::kOriginProtocol,
                            Where() + ": the answer has no head");
}

std::optional<absl::StatusOr<Chunk>> Transfer::TryRead(bool& resume) {
  std::lock_guard lock(mutex_);
  if (!body_.empty()) {
    std::optional<absl::StatusOr<Chunk>> out(std::move(body_.front()));
    body_.pop_front();
    buffered_ -= (*out)->size();
    if (paused_ && buffered_ <= request.buffer_bytes / 2) {
      paused_ = false;
      resume = true;
    }
    return out;
  }
  if (!end_.has_value()) return std::nullopt;
  if (end_->ok()) return absl::OutOfRangeError("the end of the body");
  return *end_;
}

void Transfer::Detach(bool discard) {
  std::lock_guard lock(mutex_);
  attached_ = false;
  discard_ = discard;
  body_.clear();
}

size_t Transfer::TakeHeader(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    too_long = true;
    return 0;
  }
  const size_t size = line.size();
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  std::lock_guard lock(mutex_);
  any_header_ = true;
  if (head_) return size;  // trailers
  if (line.starts_with("HTTP/")) {
    http_status_ = StatusOfLine(line);
    headers_.clear();
  } else if (line.empty()) {
    // Interim answers (1xx) are followed by the real one.
    if (http_status_ >= 200) {
      head_ = true;
      NotifyLocked();
    }
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos && colon > 0) {
    headers_.emplace_back(std::string(line.substr(0, colon)),
                          std::string(Trim(line.substr(colon + 1))));
  }
  return size;
}

size_t Transfer::TakeBody(const char* data, size_t size) {
  std::lock_guard lock(mutex_);
  if (!attached_) {
    discarded_ += size;
    return discard_ && discarded_ <= kMaxDiscardBytes ? size : 0;
  }
  if (buffered_ > 0 && buffered_ + size > request.buffer_bytes) {
    paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (body_.empty() || body_.back().size() + size > kMaxChunkBytes) {
    body_.emplace_back();
    body_.back().reserve(std::min(kMaxChunkBytes, std::max(size, size_t{64} << 10)));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  body_.back().insert(body_.back().end(), bytes, bytes + size);
  buffered_ += size;
  NotifyLocked();
  return size;
}

void Transfer::End(absl::Status status) {
  std::lock_guard lock(mutex_);
  if (end_.has_value()) return;
  end_ = std::move(status);
  NotifyLocked();
}

bool Transfer::head_done() {
  std::lock_guard lock(mutex_);
  return head_;
}

absl::Status Transfer::AllowAddress(const net::IpAddress& address, uint16_t port) {
  if (!request.egress) return absl::OkStatus();
  EgressTarget target;
  target.address = address;
  target.port = port;
  target.hop = hop;
  absl::Status allowed = request.egress(target);
  if (allowed.ok()) return allowed;
  denied = status::MakeStatus(
      absl::StatusCode::kPermissionDenied, status::ErrorReason::kForbidden,
      Where() + ": " + std::string(allowed.message().data(), allowed.message().size()));
  return denied;
}

std::optional<std::chrono::steady_clock::time_point> Transfer::first_byte_deadline() {
  std::lock_guard lock(mutex_);
  if (!sent_at_.has_value() || any_header_ || end_.has_value()) return std::nullopt;
  const absl::Duration bounded = std::min(request.first_byte_timeout, absl::Hours(24));
  return *sent_at_ + absl::ToChronoMilliseconds(bounded);
}

// One post for all that happened since the last one ran; none after Detach.
void Transfer::NotifyLocked() {
  if (!attached_ || notify_posted_) return;
  notify_posted_ = true;
  async::Post(executor_, [self = shared_from_this()] {
    {
      std::lock_guard lock(self->mutex_);
      self->notify_posted_ = false;
    }
    self->changed.NotifyAll();
  });
}

}  // namespace dragonfly::common::http
