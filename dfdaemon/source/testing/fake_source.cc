#include "dfdaemon/source/testing/fake_source.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "dfdaemon/source/http_headers.h"

namespace dragonfly::dfdaemon::source::testing {

using common::async::CancelScope;
using common::async::Co;
using common::status::ErrorReason;
using common::status::MakeStatus;

struct FakeSource::State {
  std::mutex mutex;  // guards all below
  std::map<std::string, FakeContent> contents;
  std::vector<ReadCall> reads;
  int stats = 0;
  uint64_t bytes_read = 0;
};

namespace {

SourceHead HeadOf(const FakeContent& content) {
  SourceHead head;
  head.http_status = 200;
  if (content.tells_length) head.content_length = content.body.size();
  head.ranges = content.ranges;
  head.etag = content.etag;
  head.last_modified = content.last_modified;
  head.headers = ReplayableHeaders(content.headers, head.content_length);
  return head;
}

absl::Status ReadPrefix(const std::string& path, uint64_t length, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  out.resize(length);
  if (file.read(out.data(), static_cast<std::streamsize>(length))) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("cannot read ", length, " bytes of ", path));
}

}  // namespace

class FakeSource::Stream : public SourceStream {
 public:
  Stream(std::shared_ptr<State> state, std::string url, FakeContent content, core::ByteRange range)
      : state_(std::move(state)),
        url_(std::move(url)),
        content_(std::move(content)),
        head_(HeadOf(content_)),
        at_(range.start),
        end_(range.start + range.length) {
    head_.offset = at_;
    if (at_ != 0) head_.http_status = 206;
  }

  const SourceHead& head() const override { return head_; }

  Co<absl::StatusOr<size_t>> Read(CancelScope& scope, std::span<std::byte> out) override {
    if (scope.cancelled()) co_return scope.status();
    if (content_.delay_per_read > absl::ZeroDuration()) {
      absl::Status slept = co_await common::async::Sleep(scope, content_.delay_per_read);
      if (!slept.ok()) co_return slept;
    }
    uint64_t stop = end_;
    if (content_.hang_at && *content_.hang_at < stop) {
      if (at_ >= *content_.hang_at) {
        absl::Status slept = co_await common::async::Sleep(scope, absl::InfiniteDuration());
        co_return slept;
      }
      stop = *content_.hang_at;
    }
    if (content_.fail_at && *content_.fail_at < end_ && content_.failures > 0) {
      if (at_ >= *content_.fail_at) co_return Cut();
      stop = std::min(stop, *content_.fail_at);
    }
    if (at_ >= end_) co_return absl::OutOfRangeError("end of the content");
    const size_t n =
        static_cast<size_t>(std::min<uint64_t>({stop - at_, out.size(), content_.bytes_per_read}));
    std::memcpy(out.data(), content_.body.data() + at_, n);
    at_ += n;
    const std::lock_guard lock(state_->mutex);
    state_->bytes_read += n;
    co_return n;
  }

 private:
  absl::Status Cut() {
    const std::lock_guard lock(state_->mutex);
    if (auto it = state_->contents.find(url_); it != state_->contents.end()) {
      --it->second.failures;
    }
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                      absl::StrCat(url_, ": the connection was cut after byte ", at_));
  }

  std::shared_ptr<State> state_;
  std::string url_;
  FakeContent content_;
  SourceHead head_;
  uint64_t at_;
  uint64_t end_;
};

std::shared_ptr<FakeSource::State> FakeSource::MakeState() { return std::make_shared<State>(); }

void FakeSource::Set(std::string url, FakeContent content) {
  const std::lock_guard lock(state_->mutex);
  state_->contents[std::move(url)] = std::move(content);
}

void FakeSource::Change(const std::string& url, std::string body) {
  const std::lock_guard lock(state_->mutex);
  FakeContent& content = state_->contents[url];
  content.body = std::move(body);
  if (!content.etag.empty()) content.etag.insert(content.etag.size() - 1, "+");
  if (!content.last_modified.empty()) content.last_modified += "+";
}

std::vector<FakeSource::ReadCall> FakeSource::reads() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reads;
}

int FakeSource::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

uint64_t FakeSource::bytes_read() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes_read;
}

absl::StatusOr<FakeContent> FakeSource::Open(const SourceRequest& request) {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->contents.find(request.url);
  if (it == state_->contents.end()) {
    absl::Status status =
        MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kOriginStatus,
                   absl::StrCat("the origin answered 404 Not Found for ", request.url));
    common::status::AttachOrigin(status, {404, "Not Found", "{}"});
    return status;
  }
  FakeContent& content = it->second;
  if (!content.open_error.ok() && content.open_failures > 0) {
    --content.open_failures;
    return content.open_error;
  }
  HeaderList validators;
  if (!content.etag.empty()) validators.emplace_back("ETag", content.etag);
  if (!content.last_modified.empty()) {
    validators.emplace_back("Last-Modified", content.last_modified);
  }
  if (CompareValidators(request.etag, request.last_modified, validators) == Validity::kChanged) {
    return MakeStatus(absl::StatusCode::kAborted, ErrorReason::kOriginChanged,
                      absl::StrCat(request.url, ": the origin has another version by now"));
  }
  return content;
}

Co<absl::StatusOr<SourceHead>> FakeSource::Stat(CancelScope& scope, SourceRequest request) {
  if (scope.cancelled()) co_return scope.status();
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->stats;
  }
  auto content = Open(request);
  if (!content.ok()) co_return content.status();
  co_return HeadOf(*content);
}

Co<absl::StatusOr<std::unique_ptr<SourceStream>>> FakeSource::Read(
    CancelScope& scope, SourceRequest request, std::optional<core::ByteRange> range) {
  if (scope.cancelled()) co_return scope.status();
  {
    const std::lock_guard lock(state_->mutex);
    ReadCall call;
    call.url = request.url;
    call.range = range;
    call.etag = request.etag;
    call.headers = request.headers;
    state_->reads.push_back(std::move(call));
  }
  auto content = Open(request);
  if (!content.ok()) co_return content.status();
  const uint64_t size = content->body.size();
  core::ByteRange served{0, size};
  if (range && content->ranges) {
    if (range->start >= size) {
      co_return MakeStatus(absl::StatusCode::kOutOfRange, ErrorReason::kOriginStatus,
                           absl::StrCat("the origin answered 416 for ", request.url));
    }
    served.start = range->start;
    served.length = std::min(range->length, size - range->start);
  }
  std::unique_ptr<SourceStream> stream =
      std::make_unique<Stream>(state_, request.url, std::move(*content), served);
  co_return stream;
}

Co<absl::StatusOr<std::vector<SourceEntry>>> FakeSource::List(CancelScope&, SourceRequest request) {
  std::vector<SourceEntry> entries;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [url, content] : state_->contents) {
    if (!url.starts_with(request.url) || url.size() == request.url.size()) continue;
    const size_t slash = url.find('/', request.url.size());
    SourceEntry entry;
    entry.is_directory = slash != std::string::npos;
    entry.url = entry.is_directory ? url.substr(0, slash + 1) : url;
    entry.content_length = entry.is_directory ? 0 : content.body.size();
    if (entries.empty() || entries.back().url != entry.url) entries.push_back(std::move(entry));
  }
  co_return entries;
}

Co<absl::Status> FakeSource::Put(CancelScope&, SourceRequest request, std::string path,
                                 uint64_t length) {
  FakeContent content;
  absl::Status status = ReadPrefix(path, length, content.body);
  if (status.ok()) Set(request.url, std::move(content));
  co_return status;
}

}  // namespace dragonfly::dfdaemon::source::testing
