#include "common/async/cancel_scope.h"

#include <string>
#include <utility>

#include "common/async/asio.h"
#include "common/status/reason.h"

namespace dragonfly::common::async {

// A ring of raw pointers: a node is owned by its Watch (the head by the scope) and leaves the ring
// when it is destroyed, called, or when the scope goes first.
struct CancelScope::Watch::Node {
  Node* prev = this;
  Node* next = this;
  std::function<void()> on_cancel;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() { Unlink(); }

  void Unlink() {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }
  void LinkAfter(Node& head) {
    prev = &head;
    next = head.next;
    head.next->prev = this;
    head.next = this;
  }
};

CancelScope::Watch::Watch() = default;
CancelScope::Watch::Watch(std::unique_ptr<Node> node) : node_(std::move(node)) {}
CancelScope::Watch::Watch(Watch&& other) noexcept = default;
CancelScope::Watch& CancelScope::Watch::operator=(Watch&& other) noexcept = default;
CancelScope::Watch::~Watch() = default;

struct CancelScope::Deadline {
  explicit Deadline(Executor executor, CancelScope* the_owner)
      : timer(executor), owner(the_owner) {}
  AsioTimer timer;
  CancelScope* owner;  // null once the scope is gone or cancelled
};

CancelScope::CancelScope(Executor executor, absl::Duration timeout)
    : executor_(executor), watchers_(std::make_unique<Watch::Node>()) {
  StartDeadline(timeout);
}

CancelScope::CancelScope(CancelScope& parent, absl::Duration timeout)
    : executor_(parent.executor_), watchers_(std::make_unique<Watch::Node>()) {
  parent_watch_ = parent.OnCancel([this, &parent] { Cancel(parent.status()); });
  StartDeadline(timeout);
}

CancelScope::~CancelScope() {
  if (deadline_ != nullptr) {
    deadline_->owner = nullptr;
    deadline_->timer.cancel();
  }
  while (watchers_->next != watchers_.get()) watchers_->next->Unlink();
}

void CancelScope::StartDeadline(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration() || cancelled()) return;
  auto passed = [timeout] {
    return status::MakeStatus(absl::StatusCode::kDeadlineExceeded, status::ErrorReason::kTimeout,
                              "not done within " + absl::FormatDuration(timeout));
  };
  if (timeout <= absl::ZeroDuration()) {
    Cancel(passed());
    return;
  }
  deadline_ = std::make_shared<Deadline>(executor_, this);
  deadline_->timer.expires_at(ExpiryAfter(timeout));
  deadline_->timer.async_wait([deadline = deadline_, passed](const AsioError&) {
    if (deadline->owner != nullptr) deadline->owner->Cancel(passed());
  });
}

void CancelScope::Cancel(absl::Status reason) {
  if (cancelled()) return;
  if (reason.ok()) reason = absl::InternalError("a scope was cancelled without a reason");
  status_ = std::move(reason);
  if (deadline_ != nullptr) {
    deadline_->owner = nullptr;
    deadline_->timer.cancel();
  }
  // A watcher may drop its own Watch and others, and the last one may even destroy this scope.
  while (watchers_->next != watchers_.get()) {
    Watch::Node* newest = watchers_->next;
    newest->Unlink();
    std::function<void()> on_cancel = std::move(newest->on_cancel);
    const bool last = watchers_->next == watchers_.get();
    on_cancel();
    if (last) return;
  }
}

CancelScope::Watch CancelScope::OnCancel(std::function<void()> on_cancel) {
  if (cancelled()) {
    on_cancel();
    return Watch();
  }
  auto node = std::make_unique<Watch::Node>();
  node->on_cancel = std::move(on_cancel);
  node->LinkAfter(*watchers_);
  return Watch(std::move(node));
}

Co<absl::Status> Sleep(CancelScope& scope, absl::Duration duration) {
  if (scope.cancelled()) co_return scope.status();
  AsioTimer timer(scope.executor(), ExpiryAfter(duration));
  CancelScope::Watch watch = scope.OnCancel([&timer] { timer.cancel(); });
  AsioError error;
  co_await timer.async_wait(OrError(error));
  co_return scope.status();
}

Co<absl::Status> NextTurn(CancelScope& scope) {
  if (scope.cancelled()) co_return scope.status();
  boost::asio::use_awaitable_t<Executor> token;
  co_await boost::asio::post(scope.executor(), token);
  co_return scope.status();
}

}  // namespace dragonfly::common::async
