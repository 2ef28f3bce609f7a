#include "tests/bench/scheduler/core_world.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace dragonfly::bench {
namespace {

using namespace scheduler::core;  // the vocabulary of this file

constexpr uint64_t kPieceBytes = 4ULL << 20;
constexpr uint64_t kBitsPerSecond = 10'000'000'000;

ShardOptions Options(uint64_t seed) {
  ShardOptions options;
  options.random_seed = seed;
  return options;
}

// As long as a real one: address, host name and a UUID.
std::string PeerId(uint32_t task, uint32_t peer) {
  return absl::StrFormat("10.%d.%d.%d-node-%08d-%08x-4a5b-8c9d-%012x", peer >> 16,
                         (peer >> 8) & 255, peer & 255, peer, task, peer);
}

}  // namespace

CoreWorld::CoreWorld(const Size& the_size, uint64_t seed)
    : size(the_size),
      hosts(size_t{the_size.hosts} + 1),
      shard(std::make_unique<Shard>(Options(seed))) {
  for (uint32_t index = 0; index <= size.hosts; ++index) {
    HostFacts facts;
    facts.hostname = absl::StrFormat("node-%08d", index);
    facts.ip = absl::StrFormat("10.%d.%d.%d", index >> 16, (index >> 8) & 255, index & 255);
    facts.id = absl::StrCat(facts.ip, "-", facts.hostname);
    facts.type = index == size.hosts ? HostType::kSuperSeed : HostType::kNormal;
    facts.port = 4000;
    facts.max_tx_bandwidth_bps = kBitsPerSecond;
    facts.max_rx_bandwidth_bps = kBitsPerSecond;
    facts.announce_interval = absl::Minutes(5);
    facts.serialized = std::string(400, 'h');
    by_index_.push_back(hosts.Announce(std::move(facts), now)->host);
  }
  for (uint32_t index = 0; index < size.tasks; ++index) {
    auto task = std::make_shared<TaskDescriptor>();
    task->id = absl::StrFormat("%064x", index);
    task->url = absl::StrCat("https://origin.example.org/images/layer-", index, ".tar.gz");
    tasks_.push_back(std::move(task));
  }
}

Event CoreWorld::Message(uint32_t task, uint32_t peer, decltype(PeerMessage::body) body) const {
  PeerMessage message;
  message.stream = StreamOf(task, peer);
  message.peer.handle = sink.handles[message.stream];
  message.body = std::move(body);
  return message;
}

Event CoreWorld::RegisterEvent(uint32_t task, uint32_t peer) {
  const bool seed = peer == size.peers;
  Register event;
  event.stream = StreamOf(task, peer);
  // Each task begins with another host, so that hosts are all alike.
  event.host = by_index_[seed ? size.hosts : (peer + task) % size.hosts];
  event.host_id = event.host->id();
  event.peer_id = PeerId(task, peer);
  event.task = tasks_[task];
  event.content_length = size.pieces * kPieceBytes;
  event.piece_length = kPieceBytes;
  event.piece_count = size.pieces;
  event.extensions = kLazyStat | kSlice | kStripes;
  event.need_back_to_source = seed;
  return event;
}

Event CoreWorld::StartedEvent(uint32_t task, uint32_t peer) const {
  return Message(task, peer, PeerStarted());
}

Event CoreWorld::PieceEvent(uint32_t task, uint32_t peer, uint32_t piece) const {
  PieceFinished body;
  body.number = piece;
  body.length = kPieceBytes;
  body.cost = absl::Milliseconds(30);
  body.parent_id = PeerId(task, size.peers);
  return Message(task, peer, std::move(body));
}

void CoreWorld::StartSeeds() {
  for (uint32_t task = 0; task < size.tasks; ++task) {
    std::vector<Event> events;
    events.push_back(RegisterEvent(task, size.peers));
    Step(events);
    events.push_back(Message(task, size.peers, PeerBackToSourceStarted()));
    Step(events);
  }
}

void CoreWorld::Step(std::vector<Event>& events) {
  now += absl::Microseconds(10);
  shard->step(events, now, sink);
  events.clear();
}

}  // namespace dragonfly::bench
