#include "dfdaemon/core/upload_order.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr size_t kClasses = 3;
// Children without a request whose turn is remembered, beyond as many as have one. Who is forgotten
// counts as never served, which only those become that were served longest ago.
constexpr size_t kMostIdle = 1024;

}  // namespace

struct UploadOrder::Impl {
  struct Request {
    Child child = 0;
    uint64_t age = 0;  // number of its Add
    Kind kind = Kind::kPrimary;
    uint32_t next = 0;
    uint32_t end = 0;
    uint32_t ready = 0;
    uint32_t on_wire = 0;
    bool only_whole = false;
    bool begun = false;
    std::optional<size_t> queued;  // the class it can be sent in

    size_t Class() const {
      if (kind == Kind::kPrimary) return 0;
      return kind == Kind::kSteal && begun ? 1 : 2;
    }
    bool Sendable(uint32_t window) const {
      return next < end && on_wire < window && (only_whole ? ready >= end : ready > next);
    }
  };

  // When a child was served last, and who it is among those never served.
  struct Turn {
    uint64_t served = 0;  // number of the block; 0: never
    uint64_t known = 0;   // number of its first request
    friend bool operator<(const Turn& a, const Turn& b) {
      return std::tie(a.served, a.known) < std::tie(b.served, b.known);
    }
  };

  struct ChildState {
    Turn turn;
    size_t requests = 0;
    std::array<absl::btree_set<std::pair<uint64_t, Key>>, kClasses> sendable;  // by age
  };

  using Turns = absl::btree_set<std::pair<Turn, Child>>;

  uint32_t window = 0;
  uint64_t adds = 0;
  uint64_t blocks = 0;
  absl::flat_hash_map<Key, Request> requests;
  absl::flat_hash_map<Child, ChildState> children;
  std::array<Turns, kClasses> turns;  // of the children that have something to be sent
  Turns idle;                         // of those without a request

  ChildState& Meet(Child id) {
    const auto [found, is_new] = children.try_emplace(id);
    ChildState& child = found->second;
    if (is_new) child.turn.known = adds;
    if (!is_new && child.requests == 0) idle.erase({child.turn, id});
    ++child.requests;
    return child;
  }

  void Leave(Child id) {
    ChildState& child = children.at(id);
    if (--child.requests > 0) return;
    idle.insert({child.turn, id});
    if (idle.size() <= kMostIdle + children.size() - idle.size()) return;
    children.erase(idle.begin()->second);
    idle.erase(idle.begin());
  }

  // Puts the request where it belongs now.
  void Place(Key key, Request& request) {
    const std::optional<size_t> wanted =
        request.Sendable(window) ? std::optional<size_t>(request.Class()) : std::nullopt;
    if (wanted == request.queued) return;
    Unqueue(key, request);
    if (!wanted.has_value()) return;
    ChildState& child = children.at(request.child);
    if (child.sendable[*wanted].empty()) turns[*wanted].insert({child.turn, request.child});
    child.sendable[*wanted].insert({request.age, key});
    request.queued = wanted;
  }

  void Unqueue(Key key, Request& request) {
    if (!request.queued.has_value()) return;
    const size_t from = *std::exchange(request.queued, std::nullopt);
    ChildState& child = children.at(request.child);
    child.sendable[from].erase({request.age, key});
    if (child.sendable[from].empty()) turns[from].erase({child.turn, request.child});
  }

  // It has had a block: everybody else goes before it.
  void Serve(Child id) {
    ChildState& child = children.at(id);
    const Turn turn{++blocks, child.turn.known};
    for (size_t each = 0; each < kClasses; ++each) {
      if (child.sendable[each].empty()) continue;
      turns[each].erase({child.turn, id});
      turns[each].insert({turn, id});
    }
    child.turn = turn;
  }
};

UploadOrder::UploadOrder(uint32_t window) : impl_(std::make_unique<Impl>()) {
  impl_->window = std::max(window, 1U);
}
UploadOrder::~UploadOrder() = default;
UploadOrder::UploadOrder(UploadOrder&&) noexcept = default;
UploadOrder& UploadOrder::operator=(UploadOrder&&) noexcept = default;

bool UploadOrder::Add(const Ask& ask, bool sending) {
  if (ask.kind == Kind::kSteal && (sending || CanSend())) return false;
  Remove(ask.key);
  if (ask.first_block >= ask.end_block) return true;  // there is nothing to send
  ++impl_->adds;
  impl_->Meet(ask.child);
  Impl::Request& request = impl_->requests[ask.key];
  request.child = ask.child;
  request.age = impl_->adds;
  request.kind = ask.kind;
  request.next = ask.first_block;
  request.end = ask.end_block;
  request.ready = ask.ready_blocks;
  request.only_whole = ask.only_whole;
  impl_->Place(ask.key, request);
  return true;
}

void UploadOrder::SetReady(Key key, uint32_t ready_blocks) {
  const auto found = impl_->requests.find(key);
  if (found == impl_->requests.end()) return;
  found->second.ready = std::max(found->second.ready, ready_blocks);
  impl_->Place(key, found->second);
}

std::optional<UploadOrder::Next> UploadOrder::TakeNext() {
  for (const Impl::Turns& turns : impl_->turns) {
    if (turns.empty()) continue;
    const Child child = turns.begin()->second;
    const size_t which = static_cast<size_t>(&turns - impl_->turns.data());
    const Key key = impl_->children.at(child).sendable[which].begin()->second;
    Impl::Request& request = impl_->requests.at(key);
    const Next next{key, request.next, request.next + 1 == request.end};
    ++request.next;
    ++request.on_wire;
    request.begun = true;
    impl_->Serve(child);
    impl_->Place(key, request);
    return next;
  }
  return std::nullopt;
}

void UploadOrder::Delivered(Key key) {
  const auto found = impl_->requests.find(key);
  if (found == impl_->requests.end() || found->second.on_wire == 0) return;
  Impl::Request& request = found->second;
  --request.on_wire;
  if (request.next == request.end && request.on_wire == 0) {
    Remove(key);
  } else {
    impl_->Place(key, request);
  }
}

void UploadOrder::Remove(Key key) {
  const auto found = impl_->requests.find(key);
  if (found == impl_->requests.end()) return;
  impl_->Unqueue(key, found->second);
  const Child child = found->second.child;
  impl_->requests.erase(found);
  impl_->Leave(child);
}

bool UploadOrder::CanSend() const {
  return std::any_of(impl_->turns.begin(), impl_->turns.end(),
                     [](const Impl::Turns& turns) { return !turns.empty(); });
}

size_t UploadOrder::size() const { return impl_->requests.size(); }

}  // namespace dragonfly::dfdaemon::core
