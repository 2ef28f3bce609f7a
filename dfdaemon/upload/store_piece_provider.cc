#include "dfdaemon/upload/store_piece_provider.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/async/signal.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::upload {

namespace async = common::async;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;

namespace {

absl::Status NoSuchPiece(const common::id::TaskKey& key, core::PieceNumber number) {
  return MakeStatus(
      absl::StatusCode::kNotFound, ErrorReason::kNotFound,
      StdView(absl::StrCat("piece ", number, " of ", common::id::ToString(key), " is not here")));
}

// Whether a task that is cut like this can come to have the piece.
bool MayCome(const core::Geometry& geometry, core::PieceNumber number) {
  const std::optional<uint32_t> count = geometry.piece_count();
  return !count.has_value() || number < *count;
}

// Between the thread that changes a task and the coroutine that waits for it; shared, because a
// change may be on its way when the waiting ends.
struct Wake {
  explicit Wake(async::Executor executor) : signal(executor) {}
  async::Signal signal;
  bool pending = false;
  bool deleted = false;
};

}  // namespace

class StorePieceProvider::Served final : public transfer::ServedPiece {
 public:
  Served(StorePieceProvider& owner, std::unique_ptr<storage::PieceReader> reader)
      : owner_(owner), reader_(std::move(reader)) {
    const core::PieceInfo& info = reader_->info();
    head_.number = info.number;
    head_.offset = info.offset;
    head_.length = info.length;
    head_.crc32 = info.crc32;
    head_.parent_id = info.parent_id;
    head_.cost = info.cost;
    head_.created_at = info.created_at;
    if (owner_.metrics_ != nullptr) owner_.metrics_->concurrent_pieces.Add(1);
  }
  // The slot was taken by Open.
  ~Served() override {
    if (owner_.metrics_ != nullptr) owner_.metrics_->concurrent_pieces.Add(-1);
    --owner_.concurrent_;
  }
  const transfer::PieceHead& head() const override { return head_; }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    return reader_->ReadAt(offset, out);
  }
  int fd() const override { return reader_->fd(); }
  uint64_t file_offset() const override { return reader_->file_offset(); }
  void OnSent(uint64_t bytes) override {
    owner_.uploaded_bytes_ += bytes;
    if (owner_.metrics_ != nullptr) owner_.metrics_->traffic.Add(static_cast<double>(bytes));
  }

 private:
  StorePieceProvider& owner_;
  const std::unique_ptr<storage::PieceReader> reader_;
  transfer::PieceHead head_;
};

StorePieceProvider::StorePieceProvider(StorePieceProviderOptions options,
                                       storage::ContentStore& store, const common::os::Clock& clock,
                                       std::shared_ptr<common::limit::TokenBucket> limit,
                                       UploadMetrics* metrics)
    : options_(options),
      store_(store),
      clock_(clock),
      limit_(std::move(limit)),
      metrics_(metrics) {}

StorePieceProvider::~StorePieceProvider() = default;

async::Co<absl::StatusOr<std::unique_ptr<transfer::ServedPiece>>> StorePieceProvider::Open(
    async::CancelScope& scope, common::id::TaskKey key, core::PieceNumber number) {
  absl::StatusOr<std::shared_ptr<storage::TaskFile>> file = store_.Find(key);
  if (!file.ok()) co_return file.status();
  absl::StatusOr<std::unique_ptr<storage::PieceReader>> reader = (*file)->OpenPiece(number);
  if (absl::IsNotFound(reader.status()))
    reader = co_await WaitForPiece(scope, std::move(*file), number);
  if (!reader.ok()) co_return reader.status();
  if (++concurrent_ > options_.max_concurrent) {
    --concurrent_;
    co_return MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
        StdView(absl::StrCat("more than ", options_.max_concurrent, " concurrent uploads")));
  }
  co_return std::make_unique<Served>(*this, std::move(*reader));
}

async::Co<absl::StatusOr<std::unique_ptr<storage::PieceReader>>> StorePieceProvider::WaitForPiece(
    async::CancelScope& scope, std::shared_ptr<storage::TaskFile> file, core::PieceNumber number) {
  if (file->complete() || !MayCome(file->meta().geometry, number))
    co_return NoSuchPiece(file->key(), number);
  async::CancelScope waiting(scope, options_.wait_limit);
  const async::Executor executor = scope.executor();
  auto wake = std::make_shared<Wake>(executor);
  // From here on nothing is missed; what came before is found by the first look.
  std::unique_ptr<storage::Pin> observing =
      file->Observe([wake, executor, number](const storage::TaskChange& change) {
        using Kind = storage::TaskChange::Kind;
        const bool deleted = change.kind == Kind::kDeleted;
        if (!deleted && !(change.kind == Kind::kPiece && change.number == number)) return;
        async::Post(executor, [wake, deleted] {
          wake->pending = true;
          wake->deleted |= deleted;
          wake->signal.Notify();
        });
      });
  while (true) {
    absl::StatusOr<std::unique_ptr<storage::PieceReader>> reader = file->OpenPiece(number);
    if (!absl::IsNotFound(reader.status())) co_return reader;
    if (wake->deleted) co_return NoSuchPiece(file->key(), number);
    while (!wake->pending) {
      absl::Status waited = co_await wake->signal.Wait(waiting);
      if (waited.ok()) continue;
      if (scope.cancelled()) co_return scope.status();
      co_return NoSuchPiece(file->key(), number);
    }
    wake->pending = false;
  }
}

async::Co<absl::Status> StorePieceProvider::Admit(async::CancelScope& scope, uint64_t bytes) {
  if (scope.cancelled()) co_return scope.status();
  if (limit_ == nullptr || bytes == 0) co_return absl::OkStatus();
  const absl::Duration wait = limit_->Reserve(bytes, clock_.Now());
  if (wait <= absl::ZeroDuration()) co_return absl::OkStatus();
  absl::Status slept = co_await async::Sleep(scope, wait);
  if (!slept.ok()) limit_->Return(bytes, clock_.Now());
  co_return slept;
}

}  // namespace dragonfly::dfdaemon::upload
