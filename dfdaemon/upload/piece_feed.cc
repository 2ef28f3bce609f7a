#include "dfdaemon/upload/piece_feed.h"

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::upload {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::StdView;
using storage::PieceInfo;
using storage::PieceNumber;

class PieceFeed::State {
 public:
  State(std::shared_ptr<storage::TaskFile> file, const std::vector<PieceNumber>& interested)
      : file_(std::move(file)), wanted_(interested.begin(), interested.end()) {}

  storage::TaskFile& file() { return *file_; }

  // The piece is here, if it is one that is wanted.
  void OnPiece(PieceNumber number) {
    {
      std::lock_guard lock(mutex_);
      if (wanted_.erase(number) == 0) return;
      ready_.push_back(number);
    }
    Deliver();
  }

  void OnDeleted() {
    {
      std::lock_guard lock(mutex_);
      deleted_ = true;
    }
    Deliver();
  }

  void Ask(Answer answer) {
    {
      std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
    }
    Deliver();
  }

  void Close() {
    std::lock_guard lock(mutex_);
    answer_ = nullptr;
  }

 private:
  // Answers if somebody asks and there is something to say. Looks again after pieces that were
  // lost.
  void Deliver() {
    while (true) {
      Answer answer;
      std::vector<PieceNumber> numbers;
      absl::Status end;
      {
        std::lock_guard lock(mutex_);
        if (!answer_) return;
        end = EndLocked();
        if (end.ok() && ready_.empty()) return;
        while (!ready_.empty() && numbers.size() < kMaxBatch) {
          numbers.push_back(ready_.front());
          ready_.pop_front();
        }
        answer = std::exchange(answer_, nullptr);
      }
      if (!end.ok()) {
        answer(std::move(end));
        return;
      }
      std::vector<PieceInfo> pieces = Look(numbers);
      if (!pieces.empty()) {
        answer(std::move(pieces));
        return;
      }
      std::lock_guard lock(mutex_);
      answer_ = std::move(answer);
    }
  }

  absl::Status EndLocked() const {
    if (deleted_) {
      return MakeStatus(
          absl::StatusCode::kNotFound, ErrorReason::kNotFound,
          StdView(absl::StrCat(common::id::ToString(file_->key()), " was deleted here")));
    }
    if (wanted_.empty() && ready_.empty()) return absl::OutOfRangeError("all pieces were told");
    return absl::OkStatus();
  }

  std::vector<PieceInfo> Look(const std::vector<PieceNumber>& numbers) {
    std::vector<PieceInfo> pieces;
    pieces.reserve(numbers.size());
    for (PieceNumber number : numbers) {
      std::optional<PieceInfo> piece = file_->Piece(number);
      if (piece.has_value()) {
        pieces.push_back(std::move(*piece));
        continue;
      }
      std::lock_guard lock(mutex_);
      wanted_.insert(number);
    }
    // A piece that came back before it was wanted again was not noticed.
    if (pieces.size() < numbers.size()) {
      for (PieceNumber number : numbers) {
        if (!file_->HasPiece(number)) continue;
        std::lock_guard lock(mutex_);
        if (wanted_.erase(number) > 0) ready_.push_back(number);
      }
    }
    return pieces;
  }

  const std::shared_ptr<storage::TaskFile> file_;
  std::mutex mutex_;  // guards what follows
  absl::flat_hash_set<PieceNumber> wanted_;
  std::deque<PieceNumber> ready_;  // here, and not told
  bool deleted_ = false;
  Answer answer_;  // of the one who asks
};

absl::StatusOr<std::unique_ptr<PieceFeed>> PieceFeed::Open(
    storage::ContentStore& store, const storage::TaskKey& key,
    const std::vector<PieceNumber>& interested) {
  if (interested.size() > kMaxInterested) {
    return MakeStatus(
        absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
        StdView(absl::StrCat("interested in ", interested.size(), " pieces, at most ",
                             kMaxInterested, " can be asked for at once: ask for them in parts")));
  }
  absl::StatusOr<std::shared_ptr<storage::TaskFile>> file = store.Find(key);
  if (!file.ok()) return file.status();
  auto state = std::make_shared<State>(std::move(*file), interested);
  // First the observer, then the look at what is here: a piece is seen by one or both, and told
  // once.
  std::unique_ptr<storage::Pin> observing =
      state->file().Observe([state](const storage::TaskChange& change) {
        using Kind = storage::TaskChange::Kind;
        if (change.kind == Kind::kPiece) state->OnPiece(change.number);
        if (change.kind == Kind::kDeleted) state->OnDeleted();
      });
  for (PieceNumber number : interested) {
    if (state->file().HasPiece(number)) state->OnPiece(number);
  }
  return std::unique_ptr<PieceFeed>(new PieceFeed(std::move(state), std::move(observing)));
}

PieceFeed::PieceFeed(std::shared_ptr<State> state, std::unique_ptr<storage::Pin> observing)
    : state_(std::move(state)), observing_(std::move(observing)) {}

PieceFeed::~PieceFeed() {
  state_->Close();
  observing_.reset();  // waits for an answer that is under way
}

void PieceFeed::Next(Answer answer) { state_->Ask(std::move(answer)); }

}  // namespace dragonfly::dfdaemon::upload
