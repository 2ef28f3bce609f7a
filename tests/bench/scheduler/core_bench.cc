#include "tests/bench/scheduler/core_bench.h"

#include <malloc.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "tests/bench/scheduler/core_world.h"

namespace dragonfly::bench {
namespace {

using scheduler::core::Event;

constexpr size_t kBatch = 64;
constexpr double kMostBytesPerPeer = 450.0 * 1024 * 1024 / 1e6;

// The events of all peers in the order in which `make` gives them, stepped as they would come out
// of a mailbox. Only the steps are timed.
template <typename Make>
double TimeSteps(CoreWorld& world, uint64_t count, const Make& make) {
  double seconds = 0;
  std::vector<Event> batch;
  for (uint64_t i = 0; i < count;) {
    for (; i < count && batch.size() < kBatch; ++i) batch.push_back(make(i));
    const double began = CpuSeconds();
    world.Step(batch);
    seconds += CpuSeconds() - began;
  }
  return seconds;
}

// Rate of looking up what a report names, and of noting a bit.
double LookUpsPerSecond(const CoreWorld::Size& size, uint64_t reports) {
  absl::flat_hash_map<std::string, absl::flat_hash_map<std::string, std::vector<bool>>> tasks;
  std::vector<std::string> task_ids;
  std::vector<std::string> peer_ids;
  for (uint32_t task = 0; task < size.tasks; ++task) {
    task_ids.push_back(std::string(56, '0') + std::to_string(10'000'000 + task));
    for (uint32_t peer = 0; peer < size.peers; ++peer) {
      if (task == 0) peer_ids.push_back("10.0.0.1-node-00000001-uuid-" + std::to_string(peer));
      tasks[task_ids[task]][peer_ids[peer]].resize(size.pieces);
    }
  }
  const double began = CpuSeconds();
  for (uint64_t i = 0; i < reports; ++i) {
    auto& peer = tasks[task_ids[i % size.tasks]][peer_ids[(i / size.tasks) % size.peers]];
    peer[i % size.pieces] = true;
  }
  return static_cast<double>(reports) / (CpuSeconds() - began);
}

}  // namespace

std::vector<Figure> MeasureCore(bool full, uint64_t seed) {
  CoreWorld::Size size;
  size.hosts = full ? 10'000 : 2000;
  size.tasks = full ? 100 : 20;
  size.peers = full ? 1000 : 500;
  size.pieces = 64;
  CoreWorld world(size, seed);
  world.StartSeeds();
  const uint64_t peers = uint64_t{size.tasks} * size.peers;
  std::vector<uint64_t> order(peers);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
  const auto task_of = [&](uint64_t peer) {
    return static_cast<uint32_t>(order[peer] % size.tasks);
  };
  const auto peer_of = [&](uint64_t peer) {
    return static_cast<uint32_t>(order[peer] / size.tasks);
  };

  const double registers = TimeSteps(
      world, peers, [&](uint64_t i) { return world.RegisterEvent(task_of(i), peer_of(i)); });
  const double starts = TimeSteps(
      world, peers, [&](uint64_t i) { return world.StartedEvent(task_of(i), peer_of(i)); });
  const uint64_t reports = peers * size.pieces;
  const double pieces = TimeSteps(world, reports, [&](uint64_t i) {
    return world.PieceEvent(task_of(i % peers), peer_of(i % peers),
                            static_cast<uint32_t>(i / peers));
  });
  const auto per_second = [](uint64_t count, double seconds) {
    return static_cast<double>(count) / seconds;
  };
  const uint64_t all = 2 * peers + reports;
  std::vector<Figure> out;
  out.push_back({"core: events", per_second(all, registers + starts + pieces), "events/s",
                 LookUpsPerSecond(size, reports), 1e6, false});
  out.push_back({"core: registers, answered", per_second(peers, registers), "registers/s"});
  out.push_back({"core: piece reports", per_second(reports, pieces), "reports/s"});
  out.push_back({"core: pushes per peer",
                 static_cast<double>(world.sink.answers - peers) / static_cast<double>(peers),
                 "messages"});
  return out;
}

std::vector<Figure> MeasureMemory(bool full, uint64_t seed) {
  CoreWorld::Size size;
  size.hosts = 1000;
  size.tasks = full ? 1000 : 50;
  size.peers = 1000;
  size.pieces = 256;
  malloc_trim(0);
  const uint64_t before = RssAnonBytes();
  CoreWorld world(size, seed);
  world.StartSeeds();
  std::vector<Event> events;
  for (uint32_t task = 0; task < size.tasks; ++task) {
    for (uint32_t peer = 0; peer < size.peers; ++peer) {
      events.push_back(world.RegisterEvent(task, peer));
      world.Step(events);
      events.push_back(world.StartedEvent(task, peer));
      for (uint32_t piece = 0; piece < size.pieces; piece += 2)
        events.push_back(world.PieceEvent(task, peer, piece));
      world.Step(events);
    }
  }
  world.sink.handles = {};  // the service's
  malloc_trim(0);
  const double peers = static_cast<double>(size.tasks) * size.peers;
  const double bytes = static_cast<double>(RssAnonBytes() - before) / peers;
  std::vector<Figure> out;
  out.push_back({"core: memory of a peer", bytes, "bytes", 0, kMostBytesPerPeer, true});
  return out;
}

}  // namespace dragonfly::bench
