#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/piece_sink.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;

// The caller cares that it was the output that failed; full and broken disks keep their reason.
absl::Status OutputError(const absl::Status& status, const std::string& path) {
  if (status.ok()) return status;
  const std::string message = absl::StrCat("output path ", path, ": ", status.message());
  switch (common::status::ReasonOf(status)) {
    case ErrorReason::kNoSpace:
    case ErrorReason::kDiskFault:
      return common::status::MakeStatus(status.code(), common::status::ReasonOf(status), message);
    default:
      return common::status::MakeStatus(status.code(), ErrorReason::kOutputPath, message);
  }
}

class FileSink final : public PieceSink {
 public:
  FileSink(common::os::Env& env, std::string path, std::string temporary, bool overwrite,
           std::unique_ptr<common::os::File> file)
      : env_(env),
        path_(std::move(path)),
        temporary_(std::move(temporary)),
        overwrite_(overwrite),
        file_(std::move(file)) {}

  ~FileSink() override {
    if (committed_) return;
    if (file_ != nullptr) static_cast<void>(file_->Close());
    // Nothing to do about a failure here: the error that led here is what is reported.
    static_cast<void>(env_.Remove(temporary_));
  }

  absl::Status Begin(std::optional<uint64_t> content_length) override {
    if (!content_length.has_value() || *content_length == 0) return absl::OkStatus();
    const absl::Status allocated = file_->Allocate(*content_length);
    if (absl::IsUnimplemented(allocated)) return absl::OkStatus();
    return OutputError(allocated, path_);
  }

  absl::Status Write(uint64_t offset, std::string_view data) override {
    end_ = std::max(end_, offset + data.size());
    return OutputError(file_->WriteAt(offset, std::as_bytes(std::span(data))), path_);
  }

  absl::Status Commit() override {
    absl::Status done = file_->Truncate(end_);
    const absl::Status closed = file_->Close();
    file_.reset();
    if (done.ok()) done = closed;
    if (done.ok()) done = env_.Rename(temporary_, path_, overwrite_);
    if (done.ok()) committed_ = true;
    return OutputError(done, path_);
  }

 private:
  common::os::Env& env_;
  const std::string path_;
  const std::string temporary_;
  const bool overwrite_;
  std::unique_ptr<common::os::File> file_;  // null after Commit
  uint64_t end_ = 0;
  bool committed_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PieceSink>> OpenFileSink(common::os::Env& env,
                                                        const std::string& path, bool overwrite) {
  constexpr size_t kMaxStem = 200;  // names have at most 255 bytes
  const size_t slash = path.rfind('/');
  const std::string parent = path.substr(0, slash + 1);
  const std::string name = path.substr(slash + 1);
  const std::string temporary = absl::StrCat(parent, ".", name.substr(0, kMaxStem), ".dfget-",
                                             absl::Hex(env.Random(), absl::kZeroPad16));
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env.Open(temporary, common::os::OpenMode::kCreateExclusive, 0644);
  if (!file.ok()) return OutputError(file.status(), path);
  return std::make_unique<FileSink>(env, path, temporary, overwrite, std::move(*file));
}

}  // namespace dragonfly::dfget::cli
