#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace dragonfly::sim {
namespace {

constexpr size_t kChildrenTold = 16;
constexpr size_t kExplained = 10;

double SecondsOf(Nanos nanos) { return static_cast<double>(nanos) / 1e9; }

}  // namespace

// The largest of: its own downlink; what is left until origin and seed can have sent all; and, when
// all come at once, what all uplinks together can do.
double World::FloorOf(HostId host) const {
  const Scenario& s = scenario_;
  const auto bytes = static_cast<double>(s.total_bytes());
  const double joined = SecondsOf(hosts_[host].joined);
  double floor = bytes / links_.rates(host).down;
  const double source = s.seeds > 0 ? std::min(s.origin_up, s.seed_up) : s.origin_up;
  floor = std::max(floor, absl::ToDoubleSeconds(s.seed_first_byte) + bytes / source - joined);
  if (s.arrive_over <= 0 && s.trickle_share <= 0)
    floor = std::max(floor, bytes * s.peers / all_uplinks_);
  return floor;
}

RunResult World::Result() const {
  RunResult out;
  out.scenario = scenario_.name;
  out.policy = policy_.name;
  out.seed = seed_;
  for (HostId host = first_peer_; host < hosts_.size(); ++host) {
    const Host& h = hosts_[host];
    HostResult result;
    result.joined_seconds = SecondsOf(std::max<Nanos>(h.joined, 0));
    if (h.done >= 0) result.done_seconds = SecondsOf(h.done);
    result.floor_seconds = FloorOf(host);
    result.excused = h.excused;
    result.failed = h.failed;
    result.upstream = h.upstream;
    if (h.done < 0 && !h.excused) ++out.unfinished;
    out.hosts.push_back(result);
  }
  out.seconds = SecondsOf(last_done_);
  if (seed_first_byte_ >= 0) out.seed_first_byte_seconds = SecondsOf(seed_first_byte_);
  out.nominal_floor_seconds = scenario_.nominal_floor_seconds();
  out.content_bytes = scenario_.total_bytes();
  out.origin_bytes = transport_->sent_bytes(origin());
  out.wasted_bytes = wasted_bytes_ + transport_->counts().late_bytes;
  out.cross_bytes = links_.cross_bytes();
  out.node_messages = transport_->counts().messages + feeds_->messages();
  out.scheduler_messages = scheduler_->counts().received + scheduler_->counts().sent;
  out.scheduler_most_waiting = scheduler_->counts().most_waiting;
  out.scheduler_busy_seconds = SecondsOf(scheduler_->counts().busy);
  out.peers_with_children.assign(kChildrenTold + 1, 0);
  for (const auto& peer : peers_) {
    ++out.peers_with_children[std::min<size_t>(peer->children, kChildrenTold)];
    out.most_children = std::max(out.most_children, peer->children);
    out.deepest = std::max<uint32_t>(out.deepest, peer->store().deepest());
  }
  out.events = events_;
  out.digest = digest_;
  out.stuck = stuck_;
  return out;
}

std::string World::ExplainStuck(bool out_of_events) const {
  std::string out = absl::StrCat(
      out_of_events ? "nothing is going to happen any more" : "the time limit has passed", " at ",
      SecondsOf(queue_.now()), " s: ", left_, " hosts are not done\n");
  size_t told = 0;
  for (HostId host = first_peer_; host < hosts_.size() && told < kExplained; ++host) {
    const Host& h = hosts_[host];
    if (h.done >= 0 || h.excused) continue;
    ++told;
    bool any = false;
    for (PeerId peer : h.peers) {
      if (peer == kNobody || peers_[peer]->store().complete()) continue;
      absl::StrAppend(&out, "  ", peers_[peer]->Explain());
      any = true;
    }
    if (!any) absl::StrAppend(&out, "  host ", host, " has no download under way\n");
  }
  return out;
}

}  // namespace dragonfly::sim
