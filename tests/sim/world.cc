#include "tests/sim/world.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/piece.h"

namespace dragonfly::sim {
namespace {

namespace sched = scheduler::core;

constexpr uint32_t kOriginWindow = 16;  // an HTTP body: what a big TCP window holds
constexpr size_t kRandomParents = 8;
constexpr uint64_t kDigestPrime = 0x100000001b3;

Nanos NanosOf(absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); }

Topology TopologyOf(const Scenario& s) {
  Topology topology;
  topology.rack_latency = NanosOf(s.rack_latency);
  topology.idc_latency = NanosOf(s.idc_latency);
  topology.cross_latency = NanosOf(s.cross_latency);
  topology.idc_bytes_per_second = s.idc_rate;
  topology.loss = s.loss;
  topology.cross_loss = s.cross_loss;
  return topology;
}

}  // namespace

World::World(const Scenario& scenario, const Policy& policy, uint64_t seed)
    : scenario_(scenario),
      policy_(policy),
      seed_(seed),
      random_(seed),
      download_(std::make_shared<const std::string>("download")),
      links_(TopologyOf(scenario)) {
  for (uint64_t size : scenario.sizes) {
    const uint64_t piece =
        scenario.piece_length != 0 ? scenario.piece_length : common::id::ComputePieceLength(size);
    auto descriptor = std::make_shared<sched::TaskDescriptor>();
    descriptor->id = SimScheduler::TaskName(static_cast<uint32_t>(shapes_.size()));
    descriptor->url = absl::StrCat("http://origin/", descriptor->id);
    descriptors_.push_back(std::move(descriptor));
    shapes_.push_back(TaskShape{size, piece});
  }
  delays_ = std::make_unique<Delays>(links_, NanosOf(scenario.message_jitter), random_.Next());
  TransportUser& transport_user = *this;
  transport_ = std::make_unique<Transport>(queue_, links_, *delays_, transport_user);
  PieceFeedUser& feed_user = *this;
  feeds_ = std::make_unique<PieceFeeds>(
      queue_, *delays_, feed_user,
      PieceFeeds::Options{NanosOf(scenario.offer_interval), NanosOf(scenario.keepalive)});
  SimScheduler::Options options;
  options.latency = NanosOf(scenario.scheduler_latency);
  options.service = NanosOf(scenario.scheduler_service);
  options.stripes = policy.stripes && !policy.random_parents;
  const uint64_t brain_seed = random_.Next();
  if (policy.random_parents) {
    options.make_brain = [brain_seed] { return MakeRandomBrain(kRandomParents, brain_seed); };
  } else if (policy.forest) {
    options.make_brain = [brain_seed] { return MakeForestBrain(brain_seed); };
  } else if (policy.all_upstream) {
    options.make_brain = [brain_seed] { return MakeUpstreamBrain(brain_seed); };
  } else {
    sched::ShardOptions shard;
    shard.random_seed = brain_seed;
    options.make_brain = [shard] { return MakeShardBrain(shard); };
  }
  SchedulerUser& scheduler_user = *this;
  scheduler_ = std::make_unique<SimScheduler>(queue_, *delays_, scheduler_user, std::move(options));
  BuildHosts();
  ScheduleJoins();
  ScheduleFaults();
}

World::~World() = default;

void World::AddHost(bool is_seed, double up, double down) {
  LinkRates rates;
  rates.up = up;
  rates.down = down;
  const auto number = static_cast<uint32_t>(hosts_.size());
  rates.idc = number % scenario_.idcs;
  rates.rack = number / scenario_.idcs % scenario_.racks;
  links_.Add(rates);
  Host host;
  host.is_seed = is_seed;
  host.announced = up;
  host.peers.assign(shapes_.size(), kNobody);
  host.tasks_left = static_cast<uint32_t>(shapes_.size());
  hosts_.push_back(std::move(host));
}

void World::BuildHosts() {
  const Scenario& s = scenario_;
  AddHost(false, s.origin_up, s.origin_up);
  links_.SetLatency(0, NanosOf(s.origin_latency));
  transport_->AddHost(kOriginWindow, s.origin_up, false);
  const auto within = [this](double factor) {
    return std::exp((random_.Unit() - 0.5) * std::log(factor));
  };
  std::vector<HostId> seeds;
  first_peer_ = 1 + s.seeds;
  for (HostId host = 1; host < first_peer_ + s.peers; ++host) {
    if (host < first_peer_) {
      AddHost(true, s.seed_up, s.seed_down);
      hosts_[host].upstream = policy_.all_upstream;
      seeds.push_back(host);
    } else {
      const double both = within(s.spread);
      double up = s.up * both * within(s.up_spread) * s.up_ratio;
      if (random_.Unit() < s.slow_share) up *= s.slow_factor;
      AddHost(false, up, s.down * both);
      if (s.announce_nominal) hosts_[host].announced = s.up;
      if (random_.Unit() < s.wrong_share)
        hosts_[host].announced *= random_.Below(2) == 0 ? 10 : 0.1;
      hosts_[host].upstream = random_.Unit() < s.upstream_share || policy_.all_upstream;
      hosts_[host].corrupt = random_.Unit() < s.corrupt_share;
    }
    all_uplinks_ += links_.rates(host).up;
    transport_->AddHost(scenario_.window, hosts_[host].announced, !hosts_[host].upstream);
    scheduler_->AddHost(FactsOf(host));
  }
  scheduler_->SetSeeds(std::move(seeds));
  origin_asked_.assign(hosts_.size() * shapes_.size(), false);
  left_ = s.peers;
}

sched::HostFacts World::FactsOf(HostId host) const {
  const LinkRates& rates = links_.rates(host);
  sched::HostFacts facts;
  facts.id = SimScheduler::HostName(host);
  facts.type = hosts_[host].is_seed ? sched::HostType::kSuperSeed : sched::HostType::kNormal;
  facts.hostname = facts.id;
  facts.ip = absl::StrCat("10.", host / 65536 % 256, ".", host / 256 % 256, ".", host % 256);
  facts.port = 4000;
  facts.download_port = 4001;
  facts.idc = absl::StrCat("idc", rates.idc);
  facts.location = absl::StrCat("idc", rates.idc, "|rack", rates.rack);
  facts.max_tx_bandwidth_bps = static_cast<uint64_t>(hosts_[host].announced * 8);
  // Whoever announces a wrong uplink knows its downlink.
  facts.max_rx_bandwidth_bps = static_cast<uint64_t>(rates.down * 8);
  return facts;
}

void World::ScheduleJoins() {
  const Scenario& s = scenario_;
  const double floor_nanos = s.nominal_floor_seconds() * 1e9;
  Nanos last = 0;
  for (HostId host = first_peer_; host < first_peer_ + s.peers; ++host) {
    double at = s.arrive_over > 0 ? s.arrive_over * floor_nanos
                                  : static_cast<double>(NanosOf(s.arrive_jitter));
    at *= random_.Unit();
    if (random_.Unit() < s.trickle_share) at = s.trickle_over * floor_nanos * random_.Unit();
    queue_.Push({static_cast<Nanos>(at), host, 0, 0, EventKind::kJoin});
    last = std::max(last, static_cast<Nanos>(at));
  }
  limit_ = last + static_cast<Nanos>(s.limit_floors * floor_nanos) + NanosOf(s.limit_extra) +
           NanosOf(s.seed_first_byte);
}

void World::ScheduleFaults() {
  faults_ = PlanFaults(scenario_, first_peer_, random_);
  for (uint32_t i = 0; i < faults_.size(); ++i)
    queue_.Push({faults_[i].at, i, 0, 0, EventKind::kFault});
}

RunResult World::Run() {
  const auto began = std::chrono::steady_clock::now();
  Event event;
  bool out_of_events = false;
  while (!AllDone()) {
    if (!queue_.Pop(event)) {
      out_of_events = true;
      break;
    }
    if (event.at > limit_) break;
    ++events_;
    const uint64_t what = static_cast<uint64_t>(event.at) ^ uint64_t { event.a } << 20 ^
                          static_cast<uint64_t>(event.kind) << 56;
    digest_ = (digest_ ^ what) * kDigestPrime;
    Dispatch(event);
    if (audit_every_ == 0 || events_ % audit_every_ != 0) continue;
    const absl::Status audit = scheduler_->Audit();
    if (audit.ok()) continue;
    stuck_ = absl::StrCat("the scheduler's books are wrong at ", event.at, " ns: ", audit.message(),
                          "\n");
    break;
  }
  if (!AllDone() && stuck_.empty()) stuck_ = ExplainStuck(out_of_events);
  RunResult result = Result();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  result.real_seconds = took.count();
  return result;
}

void World::Dispatch(const Event& event) {
  switch (event.kind) {
    case EventKind::kUplinkFree:
      return transport_->OnUplinkFree(event);
    case EventKind::kBlockArrived:
      return transport_->OnBlockArrived(event);
    case EventKind::kBlockAcked:
      return transport_->OnBlockAcked(event);
    case EventKind::kRequestArrived:
      return transport_->OnRequestArrived(event);
    case EventKind::kCancelArrived:
      return transport_->OnCancelArrived(event);
    case EventKind::kTransferFailed:
      return transport_->OnTransferFailed(event);
    case EventKind::kMeterPoll:
      return transport_->OnMeterPoll(event);
    case EventKind::kLinkOpened:
      return feeds_->OnLinkOpened(event);
    case EventKind::kLinkClosed:
      return feeds_->OnLinkClosed(event);
    case EventKind::kLinkFlush:
      return feeds_->OnLinkFlush(event);
    case EventKind::kLinkKeepalive:
      return feeds_->OnLinkKeepalive(event);
    case EventKind::kLinkEnded:
      return feeds_->OnLinkEnded(event);
    case EventKind::kOffersArrived:
      return feeds_->OnOffersArrived(event);
    case EventKind::kPeerTimer: {
      Peer* peer = Reachable(event.a);
      if (peer == nullptr || event.b != peer->timers) return;
      peer->timer_at = INT64_MAX;
      return peer->OnTimer();
    }
    case EventKind::kSourceAsked:
      if (Peer* peer = Reachable(event.a)) peer->OnSourceAsked(event.b);
      return;
    case EventKind::kSourceHead:
      if (Peer* peer = Reachable(event.a)) peer->OnSourceHead(event.b);
      return;
    case EventKind::kAnswerArrived:
      return scheduler_->OnAnswerArrived(event);
    case EventKind::kSchedulerInput:
      return scheduler_->OnInput(event);
    case EventKind::kSchedulerDone:
      return scheduler_->OnDone(event);
    case EventKind::kSchedulerTimer:
      return scheduler_->OnTimer(event);
    case EventKind::kTriggerArrived:
      return scheduler_->OnTriggerArrived(event);
    case EventKind::kJoin:
      return Join(event.a);
    case EventKind::kFault:
      return Apply(faults_[event.a]);
  }
}

}  // namespace dragonfly::sim
