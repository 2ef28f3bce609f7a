#include <algorithm>

#include "tests/unit/scheduler_core/shard_world.h"

namespace dragonfly::scheduler::core {
namespace {

// Random swarms: whatever peers, seeds and connections do, in any order, the invariants that
// Shard::Audit checks hold, nothing is decided for a stream that is gone, and nothing is left
// behind.
class RandomSwarm {
 public:
  RandomSwarm(uint64_t seed, ShardOptions options)
      : rng_(seed), shard_(options), options_(options) {
    for (int i = 0; i < 40; ++i) AddHost("n" + std::to_string(i), HostType::kNormal);
    for (int i = 0; i < 3; ++i) AddHost("s" + std::to_string(i), HostType::kSuperSeed);
    std::vector<SeedRing::Member> members;
    for (int i = 0; i < 3; ++i) {
      members.push_back({"s" + std::to_string(i), "10.0.0." + std::to_string(i) + ":4000"});
    }
    Step(SeedsChanged{std::make_shared<const SeedRing>(members)});
  }

  void Run(int events) {
    for (int i = 0; i < events; ++i) {
      OneEvent();
      if (i % 50 == 0) {
        ASSERT_TRUE(shard_.Audit().ok()) << shard_.Audit() << " after event " << i;
      }
    }
  }

  // Everybody leaves: no load, no peer, no deadline that matters stays.
  void End() {
    for (StreamId stream = 1; stream <= last_stream_; ++stream) Step(StreamClosed{stream});
    for (const auto& host : hosts_) Step(HostLeft{host});
    ASSERT_TRUE(shard_.Audit().ok()) << shard_.Audit();
    EXPECT_EQ(shard_.stats().peers, 0U);
    EXPECT_EQ(shard_.stats().readers, 0U);
    EXPECT_EQ(shard_.stats().parked, 0U);
    EXPECT_EQ(shard_.stats().streams, 0U);
    for (const auto& host : hosts_) {
      EXPECT_EQ(host->load().children, 0U);
      EXPECT_EQ(host->load().tx_bandwidth_bps, 0U);
      EXPECT_EQ(host->load().content_length, 0U);
      EXPECT_EQ(host->load().pieces, 0U);
      EXPECT_EQ(host->peers(), 0U);
    }
  }
  const RecordingSink& sink() const { return sink_; }

 private:
  void AddHost(const std::string& id, HostType type) {
    HostFacts facts;
    facts.id = id;
    facts.type = type;
    facts.max_tx_bandwidth_bps = 1'000'000'000;
    hosts_.push_back(std::make_shared<Host>(std::move(facts), now_));
  }

  void Step(Event event) {
    const std::vector<Event> events = {std::move(event)};
    shard_.step(events, now_, sink_);
  }

  StreamId AnyStream() { return last_stream_ == 0 ? 0 : 1 + rng_.Below(last_stream_); }

  void DoRegister() {
    Register event;
    event.host = hosts_[rng_.Below(hosts_.size())];
    event.host_id = event.host->id();
    event.stream = rng_.Below(10) == 0 && last_stream_ > 0 ? AnyStream() : ++last_stream_;
    if (sink_.dead.contains(event.stream) || closed_.contains(event.stream)) return;
    event.peer_id = event.host->id() + "-" + std::to_string(rng_.Below(6));
    auto task = std::make_shared<TaskDescriptor>();
    task->id = "t" + std::to_string(rng_.Below(5));
    event.task = task;
    event.download = std::make_shared<const std::string>("d");
    if (rng_.Below(4) != 0) {
      event.content_length = 20 * kPiece;
      event.piece_length = kPiece;
      event.piece_count = 20;
    } else {
      event.extensions = kLazyStat;
    }
    if (rng_.Below(3) == 0) event.extensions |= kSlice;
    if (rng_.Below(3) != 0) event.extensions |= kStripes;
    event.need_back_to_source = rng_.Below(6) == 0;
    event.disable_back_to_source = rng_.Below(8) == 0;
    event.metadata_only = rng_.Below(30) == 0;
    event.priority = static_cast<int>(rng_.Below(7));
    if (rng_.Below(12) == 0) event.range = ByteRange{0, kPiece};
    Step(event);
  }

  void DoMessage() {
    const StreamId stream = AnyStream();
    if (sink_.dead.contains(stream) || closed_.contains(stream)) return;
    auto handle = sink_.handles.find(stream);
    if (handle == sink_.handles.end()) return;
    PeerMessage message;
    message.stream = stream;
    message.peer.handle = handle->second;
    const std::string other =
        "n" + std::to_string(rng_.Below(40)) + "-" + std::to_string(rng_.Below(6));
    const auto piece = static_cast<uint32_t>(rng_.Below(22));
    switch (rng_.Below(16)) {
      case 0:
      case 1:
      case 2:
        message.body = PeerStarted();
        break;
      case 3:
      case 4:
        message.body = PeerBackToSourceStarted();
        break;
      case 5:
        message.body = Reschedule{{other}};
        break;
      case 6:
        message.body = PeerFinished();
        break;
      case 7:
        message.body = PeerBackToSourceFinished();
        break;
      case 8:
        message.body = PeerFailed();
        break;
      case 9:
        message.body = PeerBackToSourceFailed();
        break;
      case 10:
        message.body = PieceFailed{other, rng_.Below(2) == 0};
        break;
      case 11: {
        PieceBackToSourceFinished body;
        body.piece.number = piece;
        message.body = body;
        break;
      }
      default:
        message.body = PieceFinished{piece, kPiece, absl::Milliseconds(rng_.Below(500)), other};
        break;
    }
    Step(message);
  }

  void OneEvent() {
    switch (rng_.Below(20)) {
      case 0:
      case 1:
      case 2:
        DoRegister();
        break;
      case 3: {
        const StreamId stream = AnyStream();
        if (stream != 0 && closed_.insert(stream).second) {
          Step(StreamClosed{stream});
          sink_.dead.insert(stream);
        }
        break;
      }
      case 4:
        now_ += absl::Milliseconds(rng_.Below(3000));
        shard_.step({}, now_, sink_);
        break;
      case 5:
        if (rng_.Below(20) == 0) Step(HostLeft{hosts_[rng_.Below(hosts_.size())]});
        break;
      case 6:
        if (!sink_.triggers.empty()) {
          const SeedTrigger& trigger = sink_.triggers[rng_.Below(sink_.triggers.size())];
          Step(SeedTriggerEnded{trigger.task_id, trigger.trigger_id, rng_.Below(2) == 0});
        }
        break;
      case 7:
        if (rng_.Below(2) == 0) {
          const std::shared_ptr<Host>& host = hosts_[rng_.Below(hosts_.size())];
          host->SetMeasuredUplink(static_cast<int64_t>(1 + rng_.Below(500'000'000)));
          Step(UplinkChanged{host});
          break;
        }
        Step(DeletePeer{1, PeerRef{{},
                                   "t" + std::to_string(rng_.Below(5)),
                                   "n" + std::to_string(rng_.Below(40)) + "-1"}});
        break;
      default:
        DoMessage();
        break;
    }
  }

  swarm::Rng rng_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::vector<std::shared_ptr<Host>> hosts_;
  Shard shard_;
  ShardOptions options_;
  RecordingSink sink_;
  StreamId last_stream_ = 0;
  std::set<StreamId> closed_;
};

class PropertyTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PropertyTest, InvariantsHoldInRandomSwarms) {
  ShardOptions options;
  options.random_seed = GetParam();
  options.back_to_source_count = 4;
  options.max_peers = GetParam() % 2 == 0 ? 150 : 10'000;
  RandomSwarm swarm(GetParam(), options);
  swarm.Run(12'000);
  EXPECT_GT(swarm.sink().granted, 0);
  EXPECT_GT(swarm.sink().scheduled, 0);
  swarm.End();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, ::testing::Range<uint64_t>(1, 11));

TEST(PropertyRepeatTest, SameEventsGiveTheSameDecisions) {
  std::vector<int> granted;
  for (int run = 0; run < 2; ++run) {
    RandomSwarm swarm(7, ShardOptions());
    swarm.Run(5000);
    granted.push_back(swarm.sink().granted * 100'000 + swarm.sink().scheduled);
  }
  EXPECT_EQ(granted[0], granted[1]);
}

}  // namespace
}  // namespace dragonfly::scheduler::core
