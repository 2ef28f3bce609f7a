#include "scheduler/service/decision_router.h"

#include <utility>
#include <variant>
#include <vector>

namespace dragonfly::scheduler::service {

void DecisionRouter::AddStream(std::shared_ptr<AnnounceStream> stream) {
  {
    std::lock_guard lock(open_mutex_);
    ++open_;
  }
  {
    Bucket& bucket = BucketOf(stream->id());
    std::lock_guard lock(bucket.mutex);
    bucket.streams.emplace(stream->id(), stream);
  }
  if (ending_.load()) stream->EndForShutdown();
}

void DecisionRouter::EndStreams(absl::Duration bound) {
  ending_.store(true);
  for (Bucket& bucket : buckets_) {
    std::vector<std::shared_ptr<AnnounceStream>> streams;
    {
      std::lock_guard lock(bucket.mutex);
      for (const auto& [id, stream] : bucket.streams) streams.push_back(stream);
    }
    for (const std::shared_ptr<AnnounceStream>& stream : streams) stream->EndForShutdown();
  }
  std::unique_lock lock(open_mutex_);
  none_open_.wait_for(lock, absl::ToChronoMilliseconds(bound), [this] { return open_ == 0; });
}

void DecisionRouter::EndSilent(absl::Duration silence) {
  for (Bucket& bucket : buckets_) {
    std::vector<std::shared_ptr<AnnounceStream>> streams;
    {
      std::lock_guard lock(bucket.mutex);
      for (const auto& [id, stream] : bucket.streams) streams.push_back(stream);
    }
    for (const std::shared_ptr<AnnounceStream>& stream : streams) stream->EndIfSilent(silence);
  }
}

void DecisionRouter::RemoveStream(core::StreamId id) {
  std::shared_ptr<AnnounceStream> gone;  // destroyed after the lock
  {
    Bucket& bucket = BucketOf(id);
    std::lock_guard lock(bucket.mutex);
    auto it = bucket.streams.find(id);
    if (it == bucket.streams.end()) return;
    gone = std::move(it->second);
    bucket.streams.erase(it);
  }
  std::lock_guard lock(open_mutex_);
  if (--open_ == 0) none_open_.notify_all();
}

std::shared_ptr<AnnounceStream> DecisionRouter::Find(core::StreamId id) {
  Bucket& bucket = BucketOf(id);
  std::lock_guard lock(bucket.mutex);
  auto it = bucket.streams.find(id);
  return it == bucket.streams.end() ? nullptr : it->second;
}

core::RequestId DecisionRouter::AddRequest(Answer answer) {
  const core::RequestId id = next_.fetch_add(1);
  std::lock_guard lock(requests_mutex_);
  requests_.emplace(id, std::move(answer));
  return id;
}

DecisionRouter::Answer DecisionRouter::TakeRequest(core::RequestId id) {
  std::lock_guard lock(requests_mutex_);
  auto it = requests_.find(id);
  if (it == requests_.end())
    return [](absl::Status, const core::TaskView*, const core::PeerView*) {};
  Answer answer = std::move(it->second);
  requests_.erase(it);
  return answer;
}

void DecisionRouter::Stepped(std::span<const core::Event> events) {
  for (const core::Event& event : events) {
    core::StreamId id = 0;
    if (const auto* message = std::get_if<core::PeerMessage>(&event)) id = message->stream;
    if (const auto* reg = std::get_if<core::Register>(&event)) id = reg->stream;
    if (id == 0) continue;
    if (std::shared_ptr<AnnounceStream> stream = Find(id)) stream->Stepped();
  }
}

void DecisionRouter::Registered(core::StreamId stream, const core::PeerHandle& peer,
                                core::HostType host_type, int priority) {
  if (auto found = Find(stream)) found->Registered(peer, host_type, priority);
}

void DecisionRouter::SendEmpty(core::StreamId stream) {
  if (auto found = Find(stream)) found->SendEmpty();
}

void DecisionRouter::SendParents(core::StreamId stream, core::CandidateParents parents) {
  if (auto found = Find(stream)) found->SendParents(parents);
}

void DecisionRouter::SendNeedBackToSource(core::StreamId stream, std::string description) {
  if (auto found = Find(stream)) found->SendNeedBackToSource(std::move(description));
}

void DecisionRouter::SendMetadataOnly(core::StreamId stream) {
  if (auto found = Find(stream)) found->SendMetadataOnly();
}

void DecisionRouter::EndStream(core::StreamId stream, absl::Status status) {
  if (auto found = Find(stream)) found->End(std::move(status));
}

void DecisionRouter::AnswerPeer(core::RequestId request, absl::Status status,
                                const core::TaskView& task, const core::PeerView& peer) {
  TakeRequest(request)(std::move(status), &task, &peer);
}

void DecisionRouter::AnswerTask(core::RequestId request, absl::Status status,
                                const core::TaskView& task) {
  TakeRequest(request)(std::move(status), &task, nullptr);
}

void DecisionRouter::AnswerDone(core::RequestId request, absl::Status status) {
  TakeRequest(request)(std::move(status), nullptr, nullptr);
}

void DecisionRouter::StartSeedTrigger(core::SeedTrigger trigger) {
  metrics_.SeedTriggered();
  if (start_trigger_) start_trigger_(std::move(trigger));
}

}  // namespace dragonfly::scheduler::service
