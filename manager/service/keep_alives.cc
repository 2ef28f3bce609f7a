#include "manager/service/keep_alives.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/async/runtime.h"
#include "common/log/log.h"
#include "common/rpc/peer.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/service/answers.h"
#include "manager/service/registrations.h"
#include "proto/manager_v2.pb.h"

namespace dragonfly::manager::service {

namespace pb = ::manager::v2;
namespace log = common::log;
using cache::LivenessChange;
using common::async::CancelScope;
using common::async::Co;
using common::limit::Limit;
using common::status::ErrorReason;
using common::status::MakeStatus;
using liveness::Change;
using liveness::Member;
using liveness::MemberKind;

namespace {

absl::Status ShuttingDown() {
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kShutdown,
                    "the manager is shutting down; go on with another one, or try again");
}

Member MemberOf(const pb::KeepAliveRequest& request) {
  Member member;
  member.kind = request.source_type() == pb::SEED_PEER_SOURCE ? MemberKind::kSeedPeer
                                                              : MemberKind::kScheduler;
  member.host_name = request.hostname();
  member.ip = request.ip();
  member.cluster_id = request.cluster_id();
  return member;
}

// The member as its row spells it; nothing: there is no row.
std::optional<Member> RowOf(const cache::Snapshot& snapshot, const Member& named) {
  if (named.kind == MemberKind::kScheduler) {
    const cache::Scheduler* found =
        snapshot.FindScheduler(named.cluster_id, named.host_name, named.ip);
    if (found != nullptr) return cache::MemberOf(found->row);
  } else {
    const store::models::SeedPeer* found =
        snapshot.FindSeedPeer(named.cluster_id, named.host_name, named.ip);
    if (found != nullptr) return cache::MemberOf(*found);
  }
  return std::nullopt;
}

absl::Status NoMember(const Member& named) {
  return named.kind == MemberKind::kScheduler
             ? NoScheduler(named.host_name, named.ip, named.cluster_id)
             : NoSeedPeer(named.host_name, named.ip, named.cluster_id);
}

}  // namespace

// Of one stream; gRPC's threads. The owner outlives it: the server ends before.
class KeepAlives::StreamHandler final : public Handler {
 public:
  StreamHandler(KeepAlives& owner, uint64_t id, std::shared_ptr<Stream> stream)
      : owner_(owner), id_(id), stream_(std::move(stream)) {}

  void OnMessage(pb::KeepAliveRequest message) override {
    auto shared = std::make_shared<const pb::KeepAliveRequest>(std::move(message));
    common::async::Post(owner_.deps_.executor,
                        [&owner = owner_, id = id_, shared] { owner.Message(id, *shared); });
  }
  void OnHalfClose() override { stream_->Finish(absl::OkStatus()); }
  void OnDone() override {
    common::async::Post(owner_.deps_.executor, [&owner = owner_, id = id_] { owner.Gone(id); });
    const std::lock_guard lock(owner_.mutex_);
    owner_.open_.fetch_sub(1);
    owner_.drained_.notify_all();
  }

 private:
  KeepAlives& owner_;
  const uint64_t id_;
  const std::shared_ptr<Stream> stream_;
};

KeepAlives::KeepAlives(const Deps& deps, const Options& options)
    : deps_(deps),
      options_(options),
      scope_(deps.executor),
      group_(deps.executor),
      next_sweep_(deps.clock.Now() + options.silence) {
  common::async::Post(deps_.executor, [this] { group_.Spawn(Run()); });
}

KeepAlives::~KeepAlives() { Stop(absl::ZeroDuration()); }

std::shared_ptr<KeepAlives::Handler> KeepAlives::Open(std::shared_ptr<Stream> stream,
                                                      CallerIdentity caller) {
  if (ending_.load()) {
    Tell(Limit::kShutdown, *stream);
    stream->Finish(ShuttingDown());
    return nullptr;
  }
  if (open_.fetch_add(1) >= options_.max_streams) {
    open_.fetch_sub(1);
    Tell(Limit::kKeepAliveStreams, *stream);
    stream->Finish(MakeStatus(
        absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
        common::status::StdView(absl::StrCat("this manager has ", options_.max_streams,
                                             " keep-alive streams already; use another manager"))));
    return nullptr;
  }
  const uint64_t id = last_id_.fetch_add(1) + 1;
  auto handler = std::make_shared<StreamHandler>(*this, id, stream);
  common::async::Post(deps_.executor, [this, id, stream = std::move(stream),
                                       caller = std::move(caller)] { Add(id, stream, caller); });
  return handler;
}

void KeepAlives::Tell(Limit limit, const Stream& stream) const {
  deps_.limits.Exceeded(limit, common::rpc::kGrpcListener,
                        common::rpc::SourceOf(stream.info().peer).ToString());
}

void KeepAlives::Add(uint64_t id, std::shared_ptr<Stream> stream, CallerIdentity caller) {
  Entry entry;
  entry.stream = std::move(stream);
  entry.caller = std::move(caller);
  entry.last_message = deps_.clock.Now();
  const Entry& added = streams_.emplace(id, std::move(entry)).first->second;
  if (ending_.load()) added.stream->Finish(ShuttingDown());
}

void KeepAlives::Message(uint64_t id, const pb::KeepAliveRequest& request) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Entry& entry = found->second;
  entry.last_message = deps_.clock.Now();
  entry.stream->Consumed(1);
  if (entry.member) {
    deps_.liveness.Beat(*entry.member, entry.epoch);
    return;
  }
  if (entry.named) return;  // its row is being looked for; or a peer, which nobody lists
  entry.named = true;
  if (request.source_type() == pb::PEER_SOURCE || scope_.cancelled()) return;
  absl::Status allowed = MaySpeakFor(entry.caller, request.hostname(), request.ip());
  if (!allowed.ok()) {
    Tell(Limit::kIdentity, *entry.stream);
    Finish(id, allowed);
    return;
  }
  group_.Spawn(Begin(id, MemberOf(request)));
}

void KeepAlives::Finish(uint64_t id, const absl::Status& status) {
  const auto found = streams_.find(id);
  if (found != streams_.end()) found->second.stream->Finish(status);
}

void KeepAlives::Gone(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const Entry& entry = found->second;
  // A manager that stops says nothing about its members.
  if (entry.member && !ending_.load()) deps_.liveness.End(*entry.member, entry.epoch);
  streams_.erase(found);
}

Co<absl::StatusOr<Member>> KeepAlives::Find(Member named) {
  CancelScope scope(scope_, options_.lookup_timeout);
  auto snapshot = co_await deps_.cache.Get(scope);
  if (!snapshot.ok()) co_return snapshot.status();
  std::optional<Member> row = RowOf(**snapshot, named);
  if (!row) {
    // It may have registered a moment ago, here or at another manager.
    snapshot = co_await deps_.cache.Refresh(scope);
    if (!snapshot.ok()) co_return snapshot.status();
    row = RowOf(**snapshot, named);
  }
  if (!row) co_return NoMember(named);
  co_return *row;
}

Co<void> KeepAlives::Begin(uint64_t id, Member named) {
  auto member = co_await Find(std::move(named));
  const auto found = streams_.find(id);
  if (found == streams_.end()) co_return;  // gone meanwhile
  if (!member.ok()) {
    Finish(id, member.status());
    co_return;
  }
  absl::StatusOr<liveness::Epoch> epoch = deps_.liveness.Begin(*member);
  if (!epoch.ok()) {
    Tell(Limit::kKeepAliveStreams, *found->second.stream);
    Finish(id, epoch.status());
    co_return;
  }
  found->second.member = *member;
  found->second.epoch = *epoch;
}

Co<void> KeepAlives::Run() {
  while (!scope_.cancelled()) {
    (void)co_await common::async::Sleep(scope_, options_.write_interval);
    if (scope_.cancelled()) co_return;
    Sweep();
    // Whatever a database takes: leases are looked at in time.
    Collect(deps_.liveness.TakeChanges());
    if (!writing_ && !unwritten_.empty()) group_.Spawn(WriteSoon());
  }
}

Co<void> KeepAlives::WriteSoon() {
  writing_ = true;
  co_await Write(scope_);
  writing_ = false;
}

void KeepAlives::Sweep() {
  const absl::Time now = deps_.clock.Now();
  if (now < next_sweep_) return;
  next_sweep_ = now + options_.silence / 4;
  for (auto& [id, entry] : streams_) {
    if (now - entry.last_message < options_.silence) continue;
    Tell(Limit::kIdle, *entry.stream);
    entry.stream->Finish(
        MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kTimeout,
                   common::status::StdView(absl::StrCat("no message of KeepAlive for ",
                                                        absl::FormatDuration(options_.silence)))));
  }
}

// The last word of a member counts; a time stamp says active too, so it may replace the first one.
void KeepAlives::Collect(std::vector<LivenessChange> changes) {
  for (LivenessChange& change : changes) {
    const Member member = change.change.member;
    unwritten_.insert_or_assign(member, std::move(change));
  }
}

Co<void> KeepAlives::Write(CancelScope& scope) {
  while (!unwritten_.empty() && !scope.cancelled()) {
    std::vector<LivenessChange> batch;
    while (!unwritten_.empty() && batch.size() < options_.write_batch) {
      batch.push_back(std::move(unwritten_.begin()->second));
      unwritten_.erase(unwritten_.begin());
    }
    auto write = [&store = deps_.store, batch] { return WriteLiveness(store, batch); };
    auto missing = co_await common::async::RunBlocking(deps_.pool, scope, std::move(write));
    if (!missing.ok()) {
      deps_.metrics.LivenessWriteFailed();
      if (!scope.cancelled() && log::OncePerMinute("liveness cannot be written"))
        log::Error("liveness cannot be written; tried again", log::kv("error", missing.status()));
      // What has been said since is newer.
      for (LivenessChange& change : batch) {
        const Member member = change.change.member;
        unwritten_.emplace(member, std::move(change));
      }
      co_return;
    }
    deps_.metrics.LivenessWritten(batch.size());
    for (const LivenessChange& change : batch) deps_.liveness.Written(change.change.member);
    TellMissing(*missing);
    const bool states = std::any_of(batch.begin(), batch.end(), [](const LivenessChange& each) {
      return each.change.kind != Change::Kind::kSeen;
    });
    if (states) deps_.cache.Invalidate();
  }
}

void KeepAlives::TellMissing(const std::vector<Member>& missing) {
  for (const Member& member : missing) {
    log::Warning("a member that is alive has no row any more; it is told to register",
                 log::kv("host", member.host_name), log::kv("ip", member.ip),
                 log::kv("cluster", member.cluster_id));
    for (auto& [id, entry] : streams_) {
      if (entry.member == member) entry.stream->Finish(NoMember(member));
    }
  }
}

void KeepAlives::EndAll(absl::Duration grace) {
  ending_.store(true);
  common::async::Post(deps_.executor, [this] {
    for (auto& [id, entry] : streams_) entry.stream->Finish(ShuttingDown());
  });
  std::unique_lock lock(mutex_);
  drained_.wait_for(lock, absl::ToChronoMilliseconds(grace), [this] { return open_.load() == 0; });
}

Co<void> KeepAlives::End(absl::Duration grace) {
  scope_.Cancel(ShuttingDown());
  co_await group_.Join();
  Collect(deps_.liveness.TakeAll());
  CancelScope last(deps_.executor, grace);
  co_await Write(last);
  if (!unwritten_.empty()) {
    log::Warning("the last time stamps of members were not written",
                 log::kv("members", unwritten_.size()));
  }
}

void KeepAlives::Stop(absl::Duration grace) {
  if (stopped_) return;
  stopped_ = true;
  ending_.store(true);
  common::async::RunToEnd(deps_.executor, [this, grace] { return End(grace); });
}

}  // namespace dragonfly::manager::service
