#include <algorithm>
#include <utility>

#include "tests/sim/world.h"

namespace dragonfly::sim {

void World::Apply(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kCrash:
      return Crash(fault.host);
    case FaultKind::kStartAgain:
      return StartAgain(fault.host);
    case FaultKind::kHang:
      return Hang(fault.host);
    case FaultKind::kBreakStreams:
      for (PeerId peer : hosts_[fault.host].peers) {
        if (peer != kNobody && StateOf(fault.host) == HostState::kUp) peers_[peer]->BreakStreams();
      }
      return;
    case FaultKind::kJumpClock:
      hosts_[fault.host].clock_ahead += absl::ToInt64Nanoseconds(scenario_.jump);
      for (PeerId peer : hosts_[fault.host].peers) {
        if (peer != kNobody && StateOf(fault.host) == HostState::kUp) peers_[peer]->OnTimer();
      }
      return;
    case FaultKind::kChangeUplink: {
      const LinkRates rates = links_.rates(fault.host);
      return links_.SetRates(fault.host, rates.up * scenario_.change_factor, rates.down);
    }
    case FaultKind::kSlowInterior:
      return SlowInterior();
    case FaultKind::kSeedsGo:
      for (HostId host = 1; host < first_peer_; ++host) {
        if (scenario_.seeds_hang) {
          Hang(host);
        } else {
          Crash(host);
        }
      }
      return;
    case FaultKind::kSeedsNoticed:
      return scheduler_->SetSeeds({});
    case FaultKind::kSchedulerStops:
      return scheduler_->Stop();
    case FaultKind::kSchedulerStarts:
      return scheduler_->Start();
    case FaultKind::kReannounce:
      return AnnounceHost(fault.host);
  }
}

void World::Crash(HostId host) {
  if (StateOf(host) == HostState::kDown) return;
  transport_->Crash(host);
  feeds_->Crash(host);
  for (PeerId& peer : hosts_[host].peers) {
    if (peer == kNobody) continue;
    scheduler_->Close(peers_[peer]->stream());
    for (Seeding& seeding : seeding_) {
      if (seeding.peer == peer) scheduler_->TriggerEnded(seeding.trigger, false);
    }
    std::erase_if(seeding_, [peer](const Seeding& seeding) { return seeding.peer == peer; });
    peers_[peer]->waiting.clear();
  }
  if (scenario_.crash_back <= absl::ZeroDuration()) Excuse(host);
}

// What was whole is still on its disk; whoever wanted the content asks for it again.
void World::StartAgain(HostId host) {
  transport_->Restart(host);
  AnnounceHost(host);
  Host& h = hosts_[host];
  for (uint32_t task = 0; task < h.peers.size(); ++task) {
    const PeerId before = h.peers[task];
    if (before == kNobody) continue;
    const bool was_done = peers_[before]->store().complete();
    Peer& peer = Renew(host, task);
    if (!was_done) peer.Start(false);
  }
  if (h.done < 0 && h.joined >= 0) StartTasks(host);
}

void World::Hang(HostId host) {
  if (StateOf(host) != HostState::kUp) return;
  transport_->Hang(host);
  Excuse(host);
}

void World::SlowInterior() {
  std::vector<std::pair<uint32_t, HostId>> busiest;
  for (HostId host = first_peer_; host < hosts_.size(); ++host) {
    uint32_t children = 0;
    for (PeerId peer : hosts_[host].peers) {
      if (peer != kNobody) children += peers_[peer]->children;
    }
    busiest.emplace_back(children, host);
  }
  const size_t count = std::min<size_t>(scenario_.slow_interior, busiest.size());
  std::partial_sort(busiest.begin(), busiest.begin() + static_cast<ptrdiff_t>(count), busiest.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  for (size_t i = 0; i < count; ++i) {
    const LinkRates rates = links_.rates(busiest[i].second);
    links_.SetRates(busiest[i].second, rates.up * scenario_.slow_interior_factor, rates.down);
  }
}

}  // namespace dragonfly::sim
