#include "tests/sim/sim_scheduler.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"

namespace dragonfly::sim {
namespace {

namespace node = dfdaemon::core;
namespace sched = scheduler::core;
using common::status::ErrorReason;
using common::status::MakeStatus;

uint32_t NumberAfter(char letter, std::string_view name) {
  uint32_t number = UINT32_MAX;
  if (name.size() < 2 || name.front() != letter) return number;
  std::from_chars(name.data() + 1, name.data() + name.size(), number);
  return number;
}

// "slice=1/4 ..." of readers that share the work (docs/reference/scheduler.md).
void ReadSlice(std::string_view text, node::AnswerSource& answer) {
  constexpr std::string_view kKey = "slice=";
  const size_t at = text.find(kKey);
  if (at == std::string_view::npos) return;
  const char* end = text.data() + text.size();
  uint32_t index = 0;
  uint32_t count = 0;
  const auto first = std::from_chars(text.data() + at + kKey.size(), end, index);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return;
  const auto second = std::from_chars(first.ptr + 1, end, count);
  if (second.ec != std::errc() || index >= count) return;
  answer.slice_index = index;
  answer.slice_count = count;
}

node::ParentInfo ParentFrom(const sched::PeerView& view, const sched::TaskView& task) {
  const sched::HostFacts& host = *view.host;
  node::ParentInfo parent;
  parent.peer_id = view.id;
  parent.host_id = host.id;
  parent.is_seed = host.is_seed();
  parent.max_tx_bandwidth = host.max_tx_bandwidth_bps;
  if (task.content_length.value_or(0) != 0) parent.content_length = task.content_length;
  if (task.piece_count.value_or(0) != 0) parent.piece_count = task.piece_count;
  return parent;
}

}  // namespace

std::string SimScheduler::HostName(HostId host) { return absl::StrCat("h", host); }
std::string SimScheduler::TaskName(uint32_t task) { return absl::StrCat("t", task); }
std::string SimScheduler::PeerName(PeerId peer) { return absl::StrCat("p", peer); }
PeerId SimScheduler::PeerOf(std::string_view name) { return NumberAfter('p', name); }
HostId SimScheduler::HostOf(std::string_view name) { return NumberAfter('h', name); }

SimScheduler::SimScheduler(EventQueue& queue, Delays& delays, SchedulerUser& user, Options options)
    : queue_(queue),
      delays_(delays),
      user_(user),
      options_(std::move(options)),
      brain_(options_.make_brain()),
      hosts_(std::make_unique<sched::HostTable>(SIZE_MAX)),
      streams_(1) {}

SimScheduler::~SimScheduler() = default;

void SimScheduler::AddHost(sched::HostFacts facts) {
  // There is no bound that it could exceed.
  hosts_->Announce(std::move(facts), TimeAt(queue_.now())).IgnoreError();
}

void SimScheduler::Announce(HostId host, sched::HostFacts facts) {
  if (user_.StateOf(host) != HostState::kUp || !running()) return;
  // Without jitter: a node waits for the answer before it registers again.
  ++counts_.received;
  Post(Input{incarnation_, std::move(facts)}, queue_.now() + options_.latency);
}

void SimScheduler::SetSeeds(std::vector<HostId> seeds) {
  seeds_ = std::move(seeds);
  if (!running()) return;
  std::vector<sched::SeedRing::Member> members;
  for (HostId host : seeds_) {
    const uint32_t low = host % 250;
    members.push_back({HostName(host), absl::StrCat("10.0.", host / 250 % 250, ".", low, ":4000")});
  }
  sched::SeedsChanged changed;
  changed.ring = std::make_shared<const sched::SeedRing>(std::move(members));
  Post(Input{incarnation_, sched::Event(std::move(changed))}, queue_.now());
}

void SimScheduler::Post(Input input, Nanos at) {
  const SlotRef ref = on_the_way_.Add();
  *on_the_way_.Find(ref) = std::move(input);
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kSchedulerInput});
}

sched::StreamId SimScheduler::Open(PeerId peer, HostId host) {
  const sched::StreamId id = streams_.size();
  Stream stream;
  stream.peer = peer;
  stream.host = host;
  stream.incarnation = running() ? incarnation_ : 0;
  streams_.push_back(stream);
  if (!running()) {
    streams_[id].up = queue_.now() + options_.latency;
    streams_[id].down = streams_[id].up;
    Tell(id, Lost());
    streams_[id].ended = true;
  }
  return id;
}

node::RegistrationEnded SimScheduler::Lost() const {
  return node::RegistrationEnded{
      MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kSchedulerUnavailable,
                 "the scheduler is not there"),
      false};
}

void SimScheduler::Send(sched::StreamId id, sched::Event event) {
  Stream& stream = streams_[id];
  if (stream.closed || stream.ended || stream.incarnation != incarnation_ || !running()) return;
  ++counts_.received;
  const Nanos at = delays_.After(options_.latency, queue_.now(), stream.up);
  Post(Input{incarnation_, std::move(event)}, at);
}

void SimScheduler::Say(sched::StreamId stream, PeerNews news) {
  if (stream == 0) return;
  sched::PeerMessage message;
  message.stream = stream;
  message.body = std::move(news);
  Send(stream, std::move(message));
}

void SimScheduler::Close(sched::StreamId id) {
  if (id == 0 || streams_[id].closed) return;
  Send(id, sched::StreamClosed{id});
  streams_[id].closed = true;
}

void SimScheduler::Break(sched::StreamId id) {
  if (id == 0 || streams_[id].closed || streams_[id].ended) return;
  Tell(id, Lost());
  Close(id);
  streams_[id].closed = false;  // the node is still to hear of it
  streams_[id].ended = true;
}

void SimScheduler::TriggerEnded(const Trigger& trigger, bool ok) {
  if (!running() || trigger.incarnation != incarnation_) return;
  sched::SeedTriggerEnded ended;
  ended.task_id = TaskName(trigger.task);
  ended.trigger_id = trigger.id;
  ended.ok = ok;
  Nanos none = 0;
  Post(Input{incarnation_, sched::Event(std::move(ended))},
       delays_.After(options_.latency, queue_.now(), none));
}

void SimScheduler::ReportRate(HostId host, double bytes_per_second) {
  if (!running()) return;
  ++counts_.received;
  std::shared_ptr<sched::Host> known = hosts_->Find(HostName(host));
  if (known == nullptr) return;
  known->SetMeasuredUplink(static_cast<int64_t>(bytes_per_second));
  Post(Input{incarnation_, sched::Event(sched::UplinkChanged{std::move(known)})},
       queue_.now() + options_.latency);
}

void SimScheduler::Stop() {
  for (sched::StreamId id = 1; id < streams_.size(); ++id) {
    if (!streams_[id].closed && !streams_[id].ended) {
      Tell(id, Lost());
      streams_[id].ended = true;
    }
  }
  brain_.reset();
  hosts_ = std::make_unique<sched::HostTable>(SIZE_MAX);
  waiting_.clear();
  serving_ = false;
  timer_ = INT64_MAX;
  ++incarnation_;
}

void SimScheduler::Start() {
  brain_ = options_.make_brain();
  SetSeeds(seeds_);
}

void SimScheduler::OnInput(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Input input = std::move(*on_the_way_.Find(ref));
  on_the_way_.Remove(ref);
  if (input.incarnation != incarnation_ || !running()) return;
  waiting_.push_back(std::move(input));
  counts_.most_waiting = std::max<uint64_t>(counts_.most_waiting, waiting_.size());
  ServeNext();
}

void SimScheduler::ServeNext() {
  if (serving_ || waiting_.empty()) return;
  serving_ = true;
  counts_.busy += options_.service;
  queue_.Push({queue_.now() + options_.service, incarnation_, 0, 0, EventKind::kSchedulerDone});
}

void SimScheduler::OnDone(const Event& event) {
  if (event.a != incarnation_) return;
  Input input = std::move(waiting_.front());
  waiting_.pop_front();
  serving_ = false;
  const absl::Time now = TimeAt(queue_.now());
  if (auto* facts = std::get_if<sched::HostFacts>(&input.what)) {
    hosts_->Announce(std::move(*facts), now).IgnoreError();  // there is no bound
  } else {
    auto& what = std::get<sched::Event>(input.what);
    if (auto* reg = std::get_if<sched::Register>(&what)) {
      reg->host = hosts_->Find(reg->host_id);
    } else if (auto* message = std::get_if<sched::PeerMessage>(&what)) {
      message->peer.handle = streams_[message->stream].handle;
    }
    brain_->Step(std::span<const sched::Event>(&what, 1), now, *this);
  }
  ServeNext();
  ArmTimer();
}

void SimScheduler::ArmTimer() {
  const absl::Time deadline = brain_->NextDeadline();
  const Nanos at = NanosUntil(deadline, queue_.now(), TimeAt(queue_.now()));
  if (at >= timer_) return;
  timer_ = at;
  queue_.Push({at, incarnation_, 0, 0, EventKind::kSchedulerTimer});
}

void SimScheduler::OnTimer(const Event& event) {
  if (event.a != incarnation_ || !running() || event.at != timer_) return;
  timer_ = INT64_MAX;
  brain_->Step({}, TimeAt(queue_.now()), *this);
  ArmTimer();
}

void SimScheduler::Tell(sched::StreamId id, SchedulerAnswer what) {
  Stream& stream = streams_[id];
  ++counts_.sent;
  const Nanos at = delays_.After(options_.latency, queue_.now(), stream.down);
  const SlotRef ref = answers_.Add();
  *answers_.Find(ref) = Answer{id, std::move(what)};
  queue_.Push({at, ref.index, ref.generation, 0, EventKind::kAnswerArrived});
}

void SimScheduler::OnAnswerArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  Answer answer = std::move(*answers_.Find(ref));
  answers_.Remove(ref);
  const Stream& stream = streams_[answer.stream];
  if (stream.closed || user_.StateOf(stream.host) != HostState::kUp) return;
  const bool ends = std::holds_alternative<node::RegistrationEnded>(answer.what);
  const PeerId peer = stream.peer;
  if (ends) {
    // The node's half is closed as well, and the scheduler hears that the stream has gone.
    const bool by_scheduler = stream.ended && stream.incarnation == incarnation_;
    streams_[answer.stream].ended = false;
    if (by_scheduler) Close(answer.stream);
    streams_[answer.stream].closed = true;
  }
  user_.OnAnswer(peer, answer.stream, std::move(answer.what));
}

void SimScheduler::OnTriggerArrived(const Event& event) {
  const SlotRef ref{event.a, event.b};
  const Trigger trigger = *triggers_.Find(ref);
  triggers_.Remove(ref);
  const HostState state = user_.StateOf(trigger.host);
  if (state == HostState::kUp) user_.OnTrigger(trigger);
  if (state == HostState::kDown) TriggerEnded(trigger, false);
}

void SimScheduler::Registered(sched::StreamId stream, const sched::PeerHandle& peer,
                              sched::HostType, int) {
  streams_[stream].handle = peer;
}

void SimScheduler::SendEmpty(sched::StreamId stream) { Tell(stream, node::AnswerEmpty{}); }

void SimScheduler::SendParents(sched::StreamId stream, sched::CandidateParents parents) {
  node::AnswerParents answer;
  answer.striped = options_.stripes;
  answer.parents.reserve(parents.parents.size());
  for (const sched::PeerView& view : parents.parents) {
    answer.parents.push_back(ParentFrom(view, parents.task));
    user_.Complete(answer.parents.back());
  }
  Tell(stream, std::move(answer));
}

void SimScheduler::SendNeedBackToSource(sched::StreamId stream, std::string description) {
  node::AnswerSource answer;
  ReadSlice(description, answer);
  answer.description = std::move(description);
  Tell(stream, std::move(answer));
}

void SimScheduler::SendMetadataOnly(sched::StreamId stream) { Tell(stream, AnswerMetadataOnly{}); }

void SimScheduler::EndStream(sched::StreamId stream, absl::Status status) {
  node::RegistrationEnded ended;
  const ErrorReason reason = common::status::ReasonOf(status);
  ended.host_unknown = reason == ErrorReason::kHostUnknown;
  ended.status = std::move(status);
  Tell(stream, std::move(ended));
  streams_[stream].ended = true;
}

void SimScheduler::StartSeedTrigger(sched::SeedTrigger trigger) {
  const SlotRef ref = triggers_.Add();
  Trigger& out = *triggers_.Find(ref);
  out.id = trigger.trigger_id;
  out.task = NumberAfter('t', trigger.task_id);
  out.host = HostOf(trigger.host_id);
  out.incarnation = incarnation_;
  ++counts_.sent;
  Nanos none = 0;
  queue_.Push({delays_.After(options_.latency, queue_.now(), none), ref.index, ref.generation, 0,
               EventKind::kTriggerArrived});
}

}  // namespace dragonfly::sim
