#include "common/os/simulated_env.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "common/os/errno_status.h"
#include "common/os/simulated_file.h"
#include "common/status/reason.h"

namespace dragonfly::common::os {
namespace {

constexpr uint32_t kDirectoryType = 0040000;
constexpr uint32_t kRegularType = 0100000;

std::vector<std::string> Components(const std::string& path) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

FileInfo InfoOfNode(const SimulatedNode& node) {
  FileInfo info;
  info.size = node.size;
  info.allocated_bytes = node.AllocatedBytes();
  info.device = 1;
  info.inode = node.inode;
  info.mode = node.mode;
  info.modified = node.modified;
  return info;
}

void Visit(const std::shared_ptr<SimulatedNode>& node,
           std::set<std::shared_ptr<SimulatedNode>>& seen) {
  if (!seen.insert(node).second) return;
  for (const auto& [name, child] : node->entries) Visit(child, seen);
}

}  // namespace

// Dead like the files of an earlier generation once the simulated machine has crashed.
class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(SimulatedEnv& env, std::shared_ptr<SimulatedNode> node)
      : env_(env), node_(std::move(node)), generation_(env.generation_) {}
  ~SimulatedLock() override {
    const std::lock_guard lock(env_.mutex_);
    if (generation_ == env_.generation_) node_->locked = false;
  }

 private:
  SimulatedEnv& env_;
  const std::shared_ptr<SimulatedNode> node_;
  const uint64_t generation_;
};

SimulatedEnv::SimulatedEnv(const Options& options)
    : random_(options.seed),
      capacity_bytes_(options.capacity_bytes),
      allocate_supported_(options.allocate_supported),
      root_(NewNode(kDirectoryType | 0755U)) {}

SimulatedEnv::~SimulatedEnv() = default;

SimulatedEnv::NodePtr SimulatedEnv::NewNode(uint32_t mode) {
  auto node = std::make_shared<SimulatedNode>();
  node->mode = mode;
  node->inode = next_inode_++;
  node->modified = clock_.WallNow();
  return node;
}

absl::StatusOr<SimulatedEnv::Place> SimulatedEnv::Find(const std::string& path,
                                                       std::string_view call) {
  const std::vector<std::string> parts = Components(path);
  Place place{root_, "", root_};
  for (const std::string& part : parts) {
    if (!place.node) return ErrnoStatus(ENOENT, call, path);
    if (!place.node->is_directory()) return ErrnoStatus(ENOTDIR, call, path);
    place.directory = place.node;
    place.name = part;
    const auto found = place.directory->entries.find(part);
    place.node = found == place.directory->entries.end() ? nullptr : found->second;
  }
  return place;
}

void SimulatedEnv::SetName(const NodePtr& directory, const std::string& name, NodePtr node) {
  const auto found = directory->entries.find(name);
  names_.push_back(
      {directory, name, found == directory->entries.end() ? nullptr : found->second, operation_});
  if (node) {
    directory->entries[name] = std::move(node);
  } else {
    directory->entries.erase(name);
  }
  directory->modified = clock_.WallNow();
  if (names_.back().before) used_bytes_.reset();  // a file may be gone
}

uint64_t SimulatedEnv::UsedBytes() const {
  if (used_bytes_) return *used_bytes_;
  std::set<NodePtr> nodes;
  Visit(root_, nodes);
  uint64_t used = 0;
  for (const NodePtr& node : nodes) used += node->AllocatedBytes();
  used_bytes_ = used;
  return used;
}

void SimulatedEnv::CountBytes(uint64_t before, uint64_t after) {
  if (used_bytes_) *used_bytes_ += after - before;
}

absl::StatusOr<std::unique_ptr<File>> SimulatedEnv::Open(const std::string& path,
                                                         OpenMode open_mode, uint32_t mode) {
  const std::lock_guard lock(mutex_);
  auto place = Find(path, "open");
  if (!place.ok()) return place.status();
  const bool may_create = open_mode == OpenMode::kCreate || open_mode == OpenMode::kCreateExclusive;
  if (!place->node && !may_create) return ErrnoStatus(ENOENT, "open", path);
  if (place->node && open_mode == OpenMode::kCreateExclusive) {
    return ErrnoStatus(EEXIST, "open", path);
  }
  if (place->node && place->node->is_directory()) return ErrnoStatus(EISDIR, "open", path);
  if (!place->node) {
    place->node = NewNode(kRegularType | (mode & 07777U));
    ++operation_;
    SetName(place->directory, place->name, place->node);
  }
  return std::make_unique<SimulatedFile>(*this, place->node, path, open_mode != OpenMode::kRead,
                                         generation_);
}

absl::StatusOr<FileInfo> SimulatedEnv::Stat(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "stat");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "stat", path);
  return InfoOfNode(*place->node);
}

absl::Status SimulatedEnv::Remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "unlink");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "unlink", path);
  if (place->node->is_directory()) return ErrnoStatus(EISDIR, "unlink", path);
  ++operation_;
  SetName(place->directory, place->name, nullptr);
  return absl::OkStatus();
}

absl::Status SimulatedEnv::RemoveTree(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "open");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "open", path);
  if (!place->node->is_directory()) return ErrnoStatus(ENOTDIR, "open", path);
  // As the real one does it: every name is a change of its own, and a crash may keep some of them.
  struct Frame {
    NodePtr parent;
    std::string name;
    NodePtr node;
  };
  std::vector<Frame> stack = {{place->directory, place->name, place->node}};
  while (!stack.empty()) {
    const Frame top = stack.back();
    if (top.node->is_directory() && !top.node->entries.empty()) {
      for (const auto& [name, child] : top.node->entries) stack.push_back({top.node, name, child});
      continue;
    }
    stack.pop_back();
    ++operation_;
    SetName(top.parent, top.name, nullptr);
  }
  return absl::OkStatus();
}

absl::Status SimulatedEnv::Rename(const std::string& from, const std::string& to, bool replace) {
  const std::lock_guard lock(mutex_);
  const std::string both = from + " -> " + to;
  const auto source = Find(from, "rename");
  const auto target = Find(to, "rename");
  if (!source.ok()) return source.status();
  if (!target.ok()) return target.status();
  if (!source->node) return ErrnoStatus(ENOENT, "rename", both);
  if (target->node && !replace) return ErrnoStatus(EEXIST, "rename", both);
  if (target->node == source->node) return absl::OkStatus();  // two names of one file: POSIX
  if (target->node) {
    if (target->node->is_directory() && !source->node->is_directory()) {
      return ErrnoStatus(EISDIR, "rename", both);
    }
    if (!target->node->is_directory() && source->node->is_directory()) {
      return ErrnoStatus(ENOTDIR, "rename", both);
    }
    if (!target->node->entries.empty()) return ErrnoStatus(ENOTEMPTY, "rename", both);
  }
  ++operation_;  // one operation: both names change or none
  SetName(target->directory, target->name, source->node);
  SetName(source->directory, source->name, nullptr);
  return absl::OkStatus();
}

absl::Status SimulatedEnv::Link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const std::string both = from + " -> " + to;
  const auto source = Find(from, "link");
  const auto target = Find(to, "link");
  if (!source.ok()) return source.status();
  if (!target.ok()) return target.status();
  if (!source->node) return ErrnoStatus(ENOENT, "link", both);
  if (source->node->is_directory()) return ErrnoStatus(EPERM, "link", both);
  if (target->node) return ErrnoStatus(EEXIST, "link", both);
  ++operation_;
  SetName(target->directory, target->name, source->node);
  return absl::OkStatus();
}

absl::Status SimulatedEnv::SyncDirectory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "fsync");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "fsync", path);
  if (!place->node->is_directory()) return ErrnoStatus(ENOTDIR, "fsync", path);
  // The journal is written in order: whatever came before the last change of this directory goes
  // too.
  uint64_t last = 0;
  for (const NameChange& change : names_) {
    if (change.directory == place->node) last = change.operation;
  }
  std::erase_if(names_, [last](const NameChange& change) { return change.operation <= last; });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DirEntry>> SimulatedEnv::List(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "opendir");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "opendir", path);
  if (!place->node->is_directory()) return ErrnoStatus(ENOTDIR, "opendir", path);
  std::vector<DirEntry> entries;
  for (const auto& [name, node] : place->node->entries) {
    entries.push_back({name, node->is_directory()});
  }
  return entries;
}

absl::Status SimulatedEnv::SafeMkdir(const std::string& path, uint32_t mode) {
  const std::lock_guard lock(mutex_);
  NodePtr here = root_;
  const std::vector<std::string> parts = Components(path);
  for (const std::string& part : parts) {
    NodePtr next = here->entries.contains(part) ? here->entries[part] : nullptr;
    if (!next) {
      next = NewNode(kDirectoryType | (mode & 07777U));
      ++operation_;
      SetName(here, part, next);
    }
    if (!next->is_directory()) {
      return status::MakeStatus(absl::StatusCode::kPermissionDenied,
                                status::ErrorReason::kForbidden,
                                "directory " + path + ": " + part + " is not a directory");
    }
    here = next;
  }
  return absl::OkStatus();
}

absl::StatusOr<DiskSpace> SimulatedEnv::Space(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto place = Find(path, "statvfs");
  if (!place.ok()) return place.status();
  if (!place->node) return ErrnoStatus(ENOENT, "statvfs", path);
  const uint64_t used = UsedBytes();
  return DiskSpace{capacity_bytes_, capacity_bytes_ - std::min(used, capacity_bytes_)};
}

absl::StatusOr<std::unique_ptr<FileLock>> SimulatedEnv::Lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto place = Find(path, "open");
  if (!place.ok()) return place.status();
  if (!place->node) {
    place->node = NewNode(kRegularType | 0644U);
    ++operation_;
    SetName(place->directory, place->name, place->node);
  }
  if (place->node->locked) {
    return status::MakeStatus(absl::StatusCode::kAborted, status::ErrorReason::kConflict,
                              "lock " + path + ": held by process 1");
  }
  place->node->locked = true;
  return std::make_unique<SimulatedLock>(*this, place->node);
}

uint64_t SimulatedEnv::Random() {
  const std::lock_guard lock(mutex_);
  return random_();
}

void SimulatedEnv::SetCapacity(uint64_t capacity_bytes) {
  const std::lock_guard lock(mutex_);
  capacity_bytes_ = capacity_bytes;
}

void SimulatedEnv::DropUnsynced(Unsynced unsynced) {
  // Data of a file whose name is undone still matters when another name leads to it: take every
  // node that was ever reachable.
  std::set<NodePtr> nodes;
  Visit(root_, nodes);
  uint64_t keep = 0;
  if (!names_.empty()) {
    const uint64_t first = names_.front().operation;
    const uint64_t last = names_.back().operation;
    keep = unsynced == Unsynced::kLost ? first - 1 : first - 1 + random_() % (last - first + 2);
  }
  for (auto change = names_.rbegin(); change != names_.rend(); ++change) {
    if (change->before) Visit(change->before, nodes);
    if (change->operation <= keep) continue;
    if (change->before) {
      change->directory->entries[change->name] = change->before;
    } else {
      change->directory->entries.erase(change->name);
    }
  }
  names_.clear();
  used_bytes_.reset();
  std::vector<NodePtr> ordered(nodes.begin(), nodes.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const NodePtr& a, const NodePtr& b) { return a->inode < b->inode; });
  for (const NodePtr& node : ordered) {
    node->DropUnsynced(unsynced == Unsynced::kMixed ? &random_ : nullptr);
    node->locked = false;
  }
}

void SimulatedEnv::Crash(Unsynced unsynced) {
  const std::lock_guard lock(mutex_);
  ++generation_;
  DropUnsynced(unsynced);
}

void SimulatedEnv::KillProcess() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  std::set<NodePtr> nodes;
  Visit(root_, nodes);
  for (const NodePtr& node : nodes) node->locked = false;
}

}  // namespace dragonfly::common::os
