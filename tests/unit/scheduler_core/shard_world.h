#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/shard.h"

namespace dragonfly::scheduler::core {

// Remembers what the shard decided, a stream's answers in order.
class RecordingSink : public DecisionSink {
 public:
  struct Answer {
    std::string kind;  // empty, parents, source, metadata, end
    std::vector<std::string> parents;
    std::string description;
    absl::Status status;
    std::optional<CandidateParents> candidates;
  };

  void Registered(StreamId stream, const PeerHandle& peer, HostType, int priority) override {
    handles[stream] = peer;
    priorities[stream] = priority;
    CheckLive(stream);
  }
  void SendEmpty(StreamId stream) override { Add(stream, Answer{"empty", {}, "", {}, {}}); }
  void SendParents(StreamId stream, CandidateParents parents) override {
    Answer answer;
    answer.kind = "parents";
    for (const PeerView& parent : parents.parents) answer.parents.push_back(parent.id);
    answer.candidates = std::move(parents);
    Add(stream, std::move(answer));
  }
  void SendNeedBackToSource(StreamId stream, std::string description) override {
    Answer answer;
    answer.kind = "source";
    answer.description = std::move(description);
    ++granted;
    Add(stream, std::move(answer));
  }
  void SendMetadataOnly(StreamId stream) override {
    Add(stream, Answer{"metadata", {}, "", {}, {}});
  }
  void EndStream(StreamId stream, absl::Status status) override {
    Answer answer;
    answer.kind = "end";
    answer.status = std::move(status);
    Add(stream, std::move(answer));
    dead.insert(stream);
  }
  void AnswerPeer(RequestId request, absl::Status status, const TaskView& task,
                  const PeerView& peer) override {
    replies[request] = std::move(status);
    last_task = task;
    last_peer = peer;
  }
  void AnswerTask(RequestId request, absl::Status status, const TaskView& task) override {
    replies[request] = std::move(status);
    last_task = task;
  }
  void AnswerDone(RequestId request, absl::Status status) override {
    replies[request] = std::move(status);
  }
  void StartSeedTrigger(SeedTrigger trigger) override { triggers.push_back(std::move(trigger)); }
  void Scheduled(absl::Duration) override { ++scheduled; }
  void Downloaded(absl::Duration, std::optional<uint64_t>) override { ++downloaded; }

  void CheckLive(StreamId stream) {
    if (dead.contains(stream)) ADD_FAILURE() << "decision for dead stream " << stream;
  }
  void Add(StreamId stream, Answer answer) {
    CheckLive(stream);
    answers[stream].push_back(std::move(answer));
  }

  std::map<StreamId, PeerHandle> handles;
  std::map<StreamId, int> priorities;
  std::map<StreamId, std::vector<Answer>> answers;
  std::set<StreamId> dead;
  std::map<RequestId, absl::Status> replies;
  TaskView last_task;
  PeerView last_peer;
  std::vector<SeedTrigger> triggers;
  int granted = 0;
  int scheduled = 0;
  int downloaded = 0;
};

inline constexpr uint64_t kPiece = 4ULL << 20;

// A shard, some hosts and a clock that the test moves.
class ShardWorld : public ::testing::Test {
 protected:
  ShardWorld() { Restart(ShardOptions()); }

  void Restart(const ShardOptions& options) { shard = std::make_unique<Shard>(options); }

  std::shared_ptr<Host> AddHost(const std::string& id, HostType type = HostType::kNormal) {
    HostFacts facts;
    facts.id = id;
    facts.type = type;
    facts.ip = "10.0.0.1";
    facts.port = 4000;
    facts.max_tx_bandwidth_bps = 10'000'000'000;
    facts.announce_interval = absl::Minutes(5);
    return hosts.Announce(std::move(facts), now)->host;
  }

  Register MakeRegister(const std::string& host, const std::string& peer,
                        const std::string& task = "task") {
    Register event;
    event.stream = ++last_stream;
    event.host = hosts.Find(host);
    event.host_id = host;
    event.peer_id = peer;
    auto descriptor = std::make_shared<TaskDescriptor>();
    descriptor->id = task;
    descriptor->url = "http://origin/" + task;
    event.task = descriptor;
    event.download = std::make_shared<const std::string>("download");
    event.content_length = 10 * kPiece;
    event.piece_length = kPiece;
    event.piece_count = 10;
    return event;
  }

  StreamId Post(Register event) {
    const StreamId stream = event.stream;
    Step(std::move(event));
    return stream;
  }
  // Registers a peer on a host of its own name.
  StreamId Join(const std::string& peer) {
    if (hosts.Find("host-" + peer) == nullptr) AddHost("host-" + peer);
    return Post(MakeRegister("host-" + peer, peer));
  }
  template <typename Body>
  void Say(StreamId stream, Body body) {
    PeerMessage message;
    message.stream = stream;
    message.peer.handle = sink.handles[stream];
    message.body = std::move(body);
    Step(std::move(message));
  }
  void Piece(StreamId stream, uint32_t number, const std::string& parent = "") {
    Say(stream, PieceFinished{number, kPiece, absl::Milliseconds(10), parent});
  }
  void SourcePieceOf(StreamId stream, uint32_t number) {
    PieceBackToSourceFinished body;
    body.piece.number = number;
    body.piece.length = kPiece;
    body.piece.cost = absl::Milliseconds(10);
    Say(stream, body);
  }
  void Break(StreamId stream) { Step(StreamClosed{stream}); }

  void Step(Event event) {
    const std::vector<Event> events = {std::move(event)};
    shard->step(events, now, sink);
    ASSERT_TRUE(shard->Audit().ok()) << shard->Audit();
  }
  // Moves the clock from deadline to deadline.
  void Pass(absl::Duration duration) {
    const absl::Time until = now + duration;
    while (shard->next_deadline() <= until) {
      now = std::max(now, shard->next_deadline());
      shard->step({}, now, sink);
      ASSERT_TRUE(shard->Audit().ok()) << shard->Audit();
    }
    now = until;
    shard->step({}, now, sink);
  }

  void Seeds(const std::vector<std::string>& ids) {
    std::vector<SeedRing::Member> members;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (hosts.Find(ids[i]) == nullptr) AddHost(ids[i], HostType::kSuperSeed);
      members.push_back(SeedRing::Member{ids[i], "10.0.1." + std::to_string(i) + ":4000"});
    }
    Step(SeedsChanged{std::make_shared<const SeedRing>(members)});
  }
  // What a triggered seed does.
  StreamId SeedRegisters(const std::string& host, const std::string& peer) {
    Register event = MakeRegister(host, peer);
    event.need_back_to_source = true;
    return Post(std::move(event));
  }
  // A peer that reads the origin, with a piece.
  StreamId StartReader(const std::string& peer) {
    const StreamId stream = Join(peer);
    EXPECT_EQ(Last(stream).kind, "source");
    Say(stream, PeerBackToSourceStarted());
    SourcePieceOf(stream, 0);
    return stream;
  }

  const RecordingSink::Answer& Last(StreamId stream) {
    static const RecordingSink::Answer kNothing{"nothing", {}, "", {}, {}};
    const auto& answers = sink.answers[stream];
    return answers.empty() ? kNothing : answers.back();
  }
  size_t Answers(StreamId stream) { return sink.answers[stream].size(); }

  HostTable hosts{10'000};
  std::unique_ptr<Shard> shard;
  RecordingSink sink;
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  StreamId last_stream = 0;
};

}  // namespace dragonfly::scheduler::core
