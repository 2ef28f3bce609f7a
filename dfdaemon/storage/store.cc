#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/log/redact.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/storage/journal.h"
#include "dfdaemon/storage/open_store.h"
#include "dfdaemon/storage/task_state.h"

namespace dragonfly::dfdaemon::storage {
namespace {

using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::MakeStatus;

// Records that may come in while the journal is written anew; with more it is tried again later.
constexpr size_t kMostSince = 1 << 20;

std::string_view FolderOf(TaskKind kind) {
  switch (kind) {
    case TaskKind::kPersistent:
      return "persistent-tasks";
    case TaskKind::kPersistentCache:
      return "persistent-cache-tasks";
    case TaskKind::kStandard:
      break;
  }
  return "tasks";
}

uint64_t Share(uint64_t total, uint32_t percent) {
  return total / 100 * percent + total % 100 * percent / 100;
}

// Ids become paths: nothing else may.
bool IsSafeId(const std::string& id) {
  return id.size() >= 4 && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
         });
}

// What others hold of a task.
class StoredTask final : public TaskFile {
 public:
  explicit StoredTask(std::shared_ptr<TaskState> state) : state_(std::move(state)) {}
  const TaskKey& key() const override { return state_->key(); }
  TaskMeta meta() const override { return state_->meta(); }
  absl::Status SetContentLength(uint64_t bytes) override { return state_->SetContentLength(bytes); }
  absl::Status SetOrigin(Validators validators,
                         std::vector<std::pair<std::string, std::string>> header) override {
    return state_->SetOrigin(std::move(validators), std::move(header));
  }
  absl::StatusOr<std::unique_ptr<PieceWriter>> Begin(PieceNumber number) override {
    return state_->Begin(number);
  }
  bool HasPiece(PieceNumber number) const override { return state_->Piece(number).has_value(); }
  std::optional<PieceInfo> Piece(PieceNumber number) const override {
    return state_->Piece(number);
  }
  std::vector<PieceNumber> FinishedPieces() const override { return state_->FinishedPieces(); }
  bool complete() const override { return state_->complete(); }
  absl::StatusOr<std::unique_ptr<PieceReader>> OpenPiece(PieceNumber number) override {
    return state_->OpenPiece(number);
  }
  uint64_t ReadableUntil(uint64_t offset) const override { return state_->ReadableUntil(offset); }
  uint64_t frontier() const override { return state_->ReadableUntil(0); }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    return state_->ReadAt(offset, out);
  }
  absl::StatusOr<PublishMethod> Publish(const Output& output) override {
    return state_->Publish(output);
  }
  std::unique_ptr<Pin> MakePin() override { return state_->MakePin(); }
  std::unique_ptr<Pin> Observe(Observer observer) override {
    return state_->Observe(std::move(observer));
  }

 private:
  const std::shared_ptr<TaskState> state_;  // shared with the store, which may forget it first
};

class Store final : public ContentStore, public JournalWriter {
 public:
  Store(common::os::Env& env, StoreOptions options) : env_(env), options_(std::move(options)) {}

  absl::Status Open() {
    if (absl::Status made = env_.SafeMkdir(options_.dir, 0700); !made.ok()) return made;
    absl::StatusOr<std::unique_ptr<common::os::FileLock>> lock = env_.Lock(options_.dir + "/LOCK");
    if (!lock.ok()) return common::status::Annotate(lock.status(), "data directory is in use");
    lock_ = std::move(*lock);
    if (absl::Status foreign = CheckForeign(); !foreign.ok()) return foreign;
    if (!options_.keep) {
      if (absl::Status emptied = Discard(); !emptied.ok()) return emptied;
    }
    for (TaskKind kind : common::id::kAllTaskKinds) {
      absl::Status made = env_.SafeMkdir(
          absl::StrCat(options_.dir, "/content/", common::status::Sv(FolderOf(kind))), 0700);
      if (!made.ok()) return made;
    }
    // For hard links out of a data directory that is shared with containers.
    if (absl::Status made = env_.SafeMkdir(options_.dir + "/tmp", 0700); !made.ok()) return made;
    absl::Status opened = OpenJournal();
    if (!opened.ok() && options_.discard_incompatible) {
      common::log::Warning("the data directory cannot be read and is begun anew",
                           common::log::kv("error", opened));
      tasks_.clear();
      if (absl::Status emptied = Discard(); !emptied.ok()) return emptied;
      opened = OpenJournal();
    }
    return opened;
  }

  absl::StatusOr<std::shared_ptr<TaskFile>> Find(const TaskKey& key) override {
    std::lock_guard lock(mutex_);
    const auto found = tasks_.find(key);
    if (found == tasks_.end()) {
      return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                        absl::StrCat("task ", key.id, " is not on this node"));
    }
    return std::shared_ptr<TaskFile>(std::make_shared<StoredTask>(found->second));
  }

  absl::StatusOr<std::shared_ptr<TaskFile>> Create(const TaskKey& key,
                                                   const CreateOptions& create) override {
    if (!IsSafeId(key.id) || create.piece_length == 0) {
      return MakeStatus(
          absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
          "task id: must be 4 to 128 lower-case letters and digits, with a piece length");
    }
    std::lock_guard creating(create_mutex_);
    absl::StatusOr<std::shared_ptr<TaskFile>> known = Find(key);
    if (known.ok()) return Agree(std::move(*known), create);
    absl::Status room = Admit(create.content_length.value_or(0));
    if (!room.ok()) {
      CollectGarbage();
      room = Admit(create.content_length.value_or(0));
    }
    if (!room.ok()) return room;
    TaskMeta meta;
    meta.url = common::log::RedactUrl(create.url);
    meta.geometry = {create.piece_length, create.content_length};
    meta.time_to_live = create.time_to_live;
    meta.eviction_class = create.eviction_class;
    meta.created_at = env_.clock().WallNow();
    if (create.content_length == 0) meta.finished_at = meta.created_at;
    const std::string folder =
        absl::StrCat(options_.dir, "/content/", common::status::Sv(FolderOf(key.kind)), "/",
                     key.id.substr(0, 3));
    if (absl::Status made = env_.SafeMkdir(folder, 0700); !made.ok()) return made;
    auto task = std::make_shared<TaskState>(*this, key, folder + "/" + key.id, meta);
    if (absl::Status file = task->CreateFile(); !file.ok()) return file;
    if (absl::Status noted = Append(TaskRecord{key, meta}); !noted.ok()) {
      (void)env_.Remove(task->path());
      return noted;
    }
    std::lock_guard lock(mutex_);
    tasks_.emplace(key, task);
    return std::shared_ptr<TaskFile>(std::make_shared<StoredTask>(std::move(task)));
  }

  absl::Status Delete(const TaskKey& key) override {
    std::shared_ptr<TaskState> task;
    {
      std::lock_guard lock(mutex_);
      const auto found = tasks_.find(key);
      if (found == tasks_.end()) return absl::OkStatus();
      task = found->second;
      tasks_.erase(found);
    }
    OnPieceBytes(-static_cast<int64_t>(task->stored_pieces()),
                 -static_cast<int64_t>(task->stored_bytes()));
    task->MarkDeleted();
    const absl::Status noted = Append(DeleteRecord{key});
    const absl::Status removed = env_.Remove(task->path());
    if (!noted.ok()) return noted;
    return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
  }

  std::vector<TaskKey> List() const override {
    std::lock_guard lock(mutex_);
    std::vector<TaskKey> keys;
    keys.reserve(tasks_.size());
    for (const auto& [key, task] : tasks_) keys.push_back(key);
    return keys;
  }

  StoreUsage usage() const override {
    StoreUsage usage;
    const std::vector<std::shared_ptr<TaskState>> tasks = Tasks();
    usage.tasks = tasks.size();
    usage.pieces = static_cast<uint64_t>(std::max<int64_t>(0, pieces_));
    usage.content_bytes = static_cast<uint64_t>(std::max<int64_t>(0, bytes_));
    for (const std::shared_ptr<TaskState>& task : tasks) {
      usage.promised_bytes += task->promised_bytes();
    }
    return usage;
  }

  // What a durable record speaks of is on the disk before it is: pieces that are stored meanwhile
  // stand behind the mark, and are left to the next round.
  absl::Status Sync() override {
    std::lock_guard syncing(sync_mutex_);
    uint64_t epoch = 0;
    uint64_t marked = 0;
    {
      std::lock_guard lock(journal_mutex_);
      if (journal_->records() == synced_records_) return absl::OkStatus();
      epoch = ++epoch_;
      if (absl::Status noted = AppendLocked(MarkRecord{epoch}); !noted.ok()) return noted;
      marked = journal_->records();
    }
    for (const std::shared_ptr<TaskState>& task : Tasks()) {
      if (absl::Status synced = task->SyncContent(); !synced.ok()) return synced;
    }
    {
      std::lock_guard lock(journal_mutex_);
      if (absl::Status noted = AppendLocked(DurableRecord{epoch}); !noted.ok()) return noted;
      if (absl::Status synced = journal_->Sync(); !synced.ok()) return synced;
      synced_records_ = marked + 1;
    }
    absl::Status rewritten = MaybeRewrite();
    if (!rewritten.ok() && common::log::OncePerMinute("journal rewrite"))
      common::log::Warning("the journal could not be written anew and goes on growing",
                           common::log::kv("error", rewritten));
    return absl::OkStatus();
  }

  std::vector<TaskKey> CollectGarbage() override {
    std::vector<std::shared_ptr<TaskState>> tasks = Tasks();
    std::vector<TaskKey> removed;
    const absl::Time now = env_.clock().WallNow();
    std::erase_if(tasks, [&](const std::shared_ptr<TaskState>& task) {
      if (task->pinned()) return true;
      if (now - task->last_access() < task->meta().time_to_live) return false;
      if (Delete(task->key()).ok()) removed.push_back(task->key());
      return true;
    });
    std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) {
      return std::make_pair(a->meta().eviction_class, a->last_access()) <
             std::make_pair(b->meta().eviction_class, b->last_access());
    });
    uint64_t excess = BytesAboveWatermark();
    for (const std::shared_ptr<TaskState>& task : tasks) {
      if (excess == 0) break;
      const uint64_t bytes = task->meta().geometry.content_length.value_or(task->stored_bytes());
      if (!Delete(task->key()).ok()) continue;
      removed.push_back(task->key());
      excess -= std::min(excess, bytes);
    }
    return removed;
  }

  // ---- JournalWriter ----
  absl::Status Append(const JournalRecord& record) override {
    std::lock_guard lock(journal_mutex_);
    return AppendLocked(record);
  }
  common::os::Env& env() override { return env_; }
  void OnPieceBytes(int64_t pieces, int64_t bytes) override {
    pieces_ += pieces;
    bytes_ += bytes;
  }

 private:
  absl::Status AppendLocked(const JournalRecord& record) {
    absl::Status appended = journal_->Append(record);
    if (appended.ok() && rewriting_) since_.push_back(record);
    return appended;
  }
  absl::Status MaybeRewrite();
  absl::Status WriteSnapshots(Journal& next, const std::vector<std::shared_ptr<TaskState>>& tasks);
  void StopRecording();

  absl::StatusOr<std::shared_ptr<TaskFile>> Agree(std::shared_ptr<TaskFile> task,
                                                  const CreateOptions& create) {
    const Geometry geometry = task->meta().geometry;
    if (geometry.piece_length != create.piece_length ||
        (geometry.content_length.has_value() && create.content_length.has_value() &&
         geometry.content_length != create.content_length)) {
      return MakeStatus(
          absl::StatusCode::kFailedPrecondition, ErrorReason::kOriginLength,
          absl::StrCat("task ", task->key().id, " is stored with another length or cut"));
    }
    if (!geometry.content_length.has_value() && create.content_length.has_value()) {
      if (absl::Status set = task->SetContentLength(*create.content_length); !set.ok()) return set;
    }
    return task;
  }

  absl::Status Admit(uint64_t wanted) {
    absl::StatusOr<common::os::DiskSpace> space = env_.Space(options_.dir);
    if (!space.ok()) return space.status();
    const uint64_t reserve = std::min(options_.reserve_bytes, space->total_bytes / 50);
    const StoreUsage used = usage();
    uint64_t free = space->available_bytes;
    free -= std::min(free, used.promised_bytes + reserve);
    if (options_.disk_threshold > 0) {
      const uint64_t quota =
          options_.disk_threshold -
          std::min(options_.disk_threshold, used.content_bytes + used.promised_bytes);
      free = std::min(free, quota);
    }
    if (wanted <= free) return absl::OkStatus();
    return MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kNoSpace,
        absl::StrCat("no room in ", options_.dir, " for ", wanted, " bytes: ", free,
                     " are free beside the reserve of ", reserve,
                     " and what is promised; make room or raise gc.policy.diskThreshold"));
  }

  uint64_t BytesAboveWatermark() {
    uint64_t total = options_.disk_threshold;
    uint64_t used = usage().content_bytes;
    if (total == 0) {
      absl::StatusOr<common::os::DiskSpace> space = env_.Space(options_.dir);
      if (!space.ok()) return 0;
      total = space->total_bytes;
      used = total - std::min(total, space->available_bytes);
    }
    if (used <= Share(total, options_.high_percent)) return 0;
    return used - Share(total, options_.low_percent);
  }

  std::vector<std::shared_ptr<TaskState>> Tasks() const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<TaskState>> tasks;
    tasks.reserve(tasks_.size());
    for (const auto& [key, task] : tasks_) tasks.push_back(task);
    return tasks;
  }

  // A folder of upstream's keeps its metadata in a database of its own; its content cannot be
  // trusted here.
  absl::Status CheckForeign() {
    absl::StatusOr<common::os::FileInfo> metadata = env_.Stat(options_.dir + "/metadata");
    if (!metadata.ok() || options_.discard_incompatible || !options_.keep) {
      if (metadata.ok()) return env_.RemoveTree(options_.dir + "/metadata");
      return absl::OkStatus();
    }
    return MakeStatus(
        absl::StatusCode::kFailedPrecondition, ErrorReason::kDiskFault,
        absl::StrCat(options_.dir,
                     " was written by another dfdaemon (it has a metadata folder); set "
                     "storage.onIncompatible: discard to begin anew, or another storage.dir"));
  }

  absl::Status Discard() {
    for (const char* folder : {"/content", "/journal"}) {
      absl::Status removed = env_.RemoveTree(options_.dir + folder);
      if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
    }
    return absl::OkStatus();
  }

  void Replay(const JournalRecord& record) {
    std::visit(
        [this](const auto& r) {
          using R = std::decay_t<decltype(r)>;
          if constexpr (std::is_same_v<R, MarkRecord>) {
            epoch_ = marked_epoch_ = r.epoch;
            marked_stage_ = ++stage_;
          } else if constexpr (std::is_same_v<R, DurableRecord>) {
            epoch_ = r.epoch;
            durable_stage_ = marked_epoch_ == r.epoch ? marked_stage_ : ++stage_;
          } else if constexpr (std::is_same_v<R, PieceRecord>) {
            const auto found = tasks_.find(r.key);
            if (found != tasks_.end()) found->second->Replay(r, stage_);
          } else if constexpr (std::is_same_v<R, TaskRecord>) {
            if (!IsSafeId(r.key.id) || r.meta.geometry.piece_length == 0) return;
            const std::string path =
                absl::StrCat(options_.dir, "/content/", common::status::Sv(FolderOf(r.key.kind)),
                             "/", r.key.id.substr(0, 3), "/", r.key.id);
            tasks_[r.key] = std::make_shared<TaskState>(*this, r.key, path, r.meta);
          } else if constexpr (std::is_same_v<R, DeleteRecord>) {
            tasks_.erase(r.key);
          } else {
            const auto found = tasks_.find(r.key);
            if (found != tasks_.end()) found->second->Replay(r);
          }
        },
        record);
  }

  absl::Status OpenJournal() {
    absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(
        env_, options_.dir + "/journal", [this](const JournalRecord& record) { Replay(record); });
    if (!journal.ok()) return journal.status();
    journal_ = std::move(*journal);
    synced_records_ = journal_->records();
    pieces_ = 0;
    bytes_ = 0;
    for (const auto& [key, task] : tasks_) {
      task->EndReplay(durable_stage_);
      pieces_ += task->stored_pieces();
      bytes_ += static_cast<int64_t>(task->stored_bytes());
    }
    return MaybeRewrite();
  }

  common::os::Env& env_;
  const StoreOptions options_;
  std::unique_ptr<common::os::FileLock> lock_;
  std::mutex sync_mutex_;    // one Sync at a time; taken before all others
  std::mutex create_mutex_;  // one Create at a time; taken before those below
  // Guards tasks_. Nothing is called with it held: a task calls the journal with its own mutex
  // held, and a rewrite of the journal asks for the tasks.
  mutable std::mutex mutex_;
  std::map<TaskKey, std::shared_ptr<TaskState>> tasks_;
  std::mutex journal_mutex_;  // guards the journal and what follows; taken behind a task's
  std::unique_ptr<Journal> journal_;
  uint64_t epoch_ = 0;
  uint64_t synced_records_ = 0;  // so many records are covered by the last durable record
  bool rewriting_ = false;       // what is appended is remembered in since_ as well
  std::vector<JournalRecord> since_;
  // While the journal is read: pieces in front of and behind the last mark are told apart.
  uint32_t stage_ = 0;
  uint32_t marked_stage_ = 0;
  uint32_t durable_stage_ = 0;
  uint64_t marked_epoch_ = 0;
  std::atomic<int64_t> pieces_{0};
  std::atomic<int64_t> bytes_{0};
};

// Writers go on meanwhile: what they append goes into the old journal, and behind the snapshots
// into the new one. A record that is in both says the same twice.
absl::Status Store::MaybeRewrite() {
  std::vector<std::shared_ptr<TaskState>> tasks = Tasks();
  uint64_t live = 0;
  for (const std::shared_ptr<TaskState>& task : tasks) live += 2 + task->stored_pieces();
  std::unique_ptr<Journal> next;
  {
    // Between its record and its place among the tasks nothing may be created.
    std::lock_guard creating(create_mutex_);
    std::lock_guard lock(journal_mutex_);
    if (journal_->bytes() < options_.journal_rewrite_bytes || journal_->records() < 2 * live)
      return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<Journal>> begun = journal_->BeginRewrite();
    if (!begun.ok()) return begun.status();
    next = std::move(*begun);
    rewriting_ = true;
    tasks = Tasks();
  }
  absl::Status done = WriteSnapshots(*next, tasks);
  if (done.ok()) done = next->Sync();
  std::lock_guard lock(journal_mutex_);
  for (const JournalRecord& record : since_) {
    if (done.ok()) done = next->Append(record);
  }
  StopRecording();
  if (!done.ok()) return done;
  done = journal_->FinishRewrite(std::move(next));
  // The new journal says of nothing that it is durable: the next Sync does.
  synced_records_ = 0;
  return done;
}

absl::Status Store::WriteSnapshots(Journal& next,
                                   const std::vector<std::shared_ptr<TaskState>>& tasks) {
  for (const std::shared_ptr<TaskState>& task : tasks) {
    for (const JournalRecord& record : task->Snapshot()) {
      if (absl::Status noted = next.Append(record); !noted.ok()) return noted;
    }
    std::lock_guard lock(journal_mutex_);
    if (since_.size() > kMostSince) return absl::AbortedError("too much is written meanwhile");
  }
  return absl::OkStatus();
}

void Store::StopRecording() {
  rewriting_ = false;
  since_.clear();
  since_.shrink_to_fit();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ContentStore>> OpenStore(common::os::Env& env,
                                                        StoreOptions options) {
  auto store = std::make_unique<Store>(env, std::move(options));
  if (absl::Status opened = store->Open(); !opened.ok()) return opened;
  return std::unique_ptr<ContentStore>(std::move(store));
}

}  // namespace dragonfly::dfdaemon::storage
