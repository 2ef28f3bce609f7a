#include "dfdaemon/source/file_source.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/source/http_headers.h"
#include "dfdaemon/source/url_text.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::async::BlockingPool;
using common::async::CancelScope;
using common::async::Co;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

absl::Status BadUrl(std::string_view url, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat("url \"", PublicUrl(url), "\": ", common::status::Sv(what),
                                 "; write \"file:///absolute/path\""));
}

absl::StatusOr<std::string> PathOf(std::string_view url) {
  constexpr std::string_view kPrefix = "file:///";
  if (SchemeOf(url) != "file" || url.size() < kPrefix.size() ||
      url.substr(4, 4) != kPrefix.substr(4)) {
    return BadUrl(url, "is not a path on this machine");
  }
  const std::string_view text = url.substr(kPrefix.size() - 1);
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path.push_back(text[i]);
      continue;
    }
    const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
    if (!high || !low) return BadUrl(url, "has a broken percent escape");
    path.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  if (path.find('\0') != std::string::npos) return BadUrl(url, "has a zero byte");
  return path;
}

// The path with every link resolved, if it lies in `root`.
absl::StatusOr<std::string> Confine(const std::string& root, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path base = fs::canonical(root, error);
  if (error) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kForbidden,
                      absl::StrCat("the root of file URLs, \"", root, "\": ", error.message()));
  }
  const fs::path real = fs::canonical(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                      absl::StrCat("no file \"", path, "\""));
  }
  if (error) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      absl::StrCat("file \"", path, "\": ", error.message()));
  }
  const auto [base_end, rest] = std::mismatch(base.begin(), base.end(), real.begin(), real.end());
  if (base_end != base.end()) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                      absl::StrCat("file \"", path, "\" is outside of \"", root,
                                   "\", below which file URLs may be read"));
  }
  return real.string();
}

struct OpenFile {
  std::shared_ptr<common::os::File> file;
  SourceHead head;
};

absl::StatusOr<OpenFile> OpenAndPin(common::os::Env& env, const FileSourceOptions& options,
                                    const SourceRequest& request) {
  auto path = PathOf(request.url);
  if (!path.ok()) return path.status();
  auto real = Confine(options.root, *path);
  if (!real.ok()) return real.status();
  auto file = env.Open(*real, common::os::OpenMode::kRead);
  if (!file.ok()) return file.status();
  OpenFile result;
  result.file = std::move(*file);
  auto info = result.file->Stat();
  if (!info.ok()) return info.status();
  if (!info->is_regular()) return BadUrl(request.url, "is not a regular file");

  result.head.content_length = info->size;
  result.head.ranges = true;
  result.head.etag = absl::StrCat("\"", absl::Hex(info->inode), "-", absl::Hex(info->size), "-",
                                  absl::Hex(absl::ToUnixNanos(info->modified)), "\"");
  result.head.last_modified =
      absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", info->modified, absl::UTCTimeZone());
  const HeaderList validators = {{"ETag", result.head.etag},
                                 {"Last-Modified", result.head.last_modified}};
  if (CompareValidators(request.etag, request.last_modified, validators) == Validity::kChanged) {
    return MakeStatus(absl::StatusCode::kAborted, ErrorReason::kOriginChanged,
                      absl::StrCat("file \"", *path, "\" has changed since the download began"));
  }
  return result;
}

class FileStream : public SourceStream {
 public:
  FileStream(BlockingPool& pool, OpenFile open, core::ByteRange range)
      : pool_(pool),
        file_(std::move(open.file)),
        head_(std::move(open.head)),
        at_(range.start),
        left_(range.length) {
    head_.offset = at_;
  }

  const SourceHead& head() const override { return head_; }

  Co<absl::StatusOr<size_t>> Read(CancelScope& scope, std::span<std::byte> out) override {
    if (left_ == 0) co_return absl::OutOfRangeError("end of the file");
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(left_, out.size()));
    // The job may outlive this call, so it reads into a buffer of its own.
    auto buffer = std::make_shared<std::vector<std::byte>>(wanted);
    auto job = [buffer, file = file_, at = at_] { return file->ReadAt(at, *buffer); };
    auto got = co_await common::async::RunBlocking(pool_, scope, std::move(job));
    if (!got.ok()) co_return got.status();
    if (*got == 0) {
      co_return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                           absl::StrCat("the file ended ", left_, " bytes early"));
    }
    std::copy_n(buffer->begin(), *got, out.begin());
    at_ += *got;
    left_ -= *got;
    co_return *got;
  }

 private:
  BlockingPool& pool_;
  std::shared_ptr<common::os::File> file_;
  SourceHead head_;
  uint64_t at_;
  uint64_t left_;
};

absl::Status MayAsk(const FileSourceOptions& options, const SourceRequest& request) {
  if (request.requester == Requester::kLocalUser || options.allow_network) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kForbidden,
                    "files of this machine are not read for requests that come by network");
}

}  // namespace

FileSource::FileSource(common::os::Env& env, BlockingPool& pool, FileSourceOptions options)
    : env_(env), pool_(pool), options_(std::move(options)) {}

Co<absl::StatusOr<SourceHead>> FileSource::Stat(CancelScope& scope, SourceRequest request) {
  absl::Status allowed = MayAsk(options_, request);
  if (!allowed.ok()) co_return allowed;
  auto job = [&env = env_, options = options_, request = std::move(request)] {
    return OpenAndPin(env, options, request);
  };
  auto open = co_await common::async::RunBlocking(pool_, scope, std::move(job));
  if (!open.ok()) co_return open.status();
  co_return std::move(open->head);
}

Co<absl::StatusOr<std::unique_ptr<SourceStream>>> FileSource::Read(
    CancelScope& scope, SourceRequest request, std::optional<core::ByteRange> range) {
  absl::Status allowed = MayAsk(options_, request);
  if (!allowed.ok()) co_return allowed;
  auto job = [&env = env_, options = options_, request = std::move(request)] {
    return OpenAndPin(env, options, request);
  };
  auto open = co_await common::async::RunBlocking(pool_, scope, std::move(job));
  if (!open.ok()) co_return open.status();
  const uint64_t size = open->head.content_length.value_or(0);
  core::ByteRange piece{0, size};
  if (range) {
    if (range->start >= size) {
      co_return MakeStatus(absl::StatusCode::kOutOfRange, ErrorReason::kOriginLength,
                           absl::StrCat("range starts at ", range->start, " of ", size, " bytes"));
    }
    piece.start = range->start;
    piece.length = std::min(range->length, size - range->start);
  }
  std::unique_ptr<SourceStream> stream =
      std::make_unique<FileStream>(pool_, std::move(*open), piece);
  co_return stream;
}

Co<absl::StatusOr<std::vector<SourceEntry>>> FileSource::List(CancelScope& scope,
                                                              SourceRequest request) {
  absl::Status allowed = MayAsk(options_, request);
  if (!allowed.ok()) co_return allowed;
  auto job = [&env = env_, options = options_,
              url = std::move(request.url)]() -> absl::StatusOr<std::vector<SourceEntry>> {
    auto path = PathOf(url);
    if (!path.ok()) return path.status();
    auto real = Confine(options.root, *path);
    if (!real.ok()) return real.status();
    auto entries = env.List(*real);
    if (!entries.ok()) return entries.status();
    std::vector<SourceEntry> result;
    for (const auto& entry : *entries) {
      auto info = env.Stat(absl::StrCat(*real, "/", entry.name));
      if (!info.ok() || (!info->is_directory() && !info->is_regular())) continue;
      const std::string slash = url.ends_with('/') ? "" : "/";
      result.push_back(
          {url + slash + entry.name, info->is_directory() ? 0 : info->size, info->is_directory()});
    }
    std::sort(result.begin(), result.end(),
              [](const SourceEntry& a, const SourceEntry& b) { return a.url < b.url; });
    return result;
  };
  co_return co_await common::async::RunBlocking(pool_, scope, std::move(job));
}

Co<absl::Status> FileSource::Put(CancelScope&, SourceRequest, std::string, uint64_t) {
  co_return absl::UnimplementedError("file URLs are not written to");
}

}  // namespace dragonfly::dfdaemon::source
