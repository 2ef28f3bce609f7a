#include "scheduler/core/budget.h"

#include <algorithm>
#include <bit>

namespace dragonfly::scheduler::core {

uint32_t ReaderLimit(uint32_t waiting) {
  if (waiting <= 2) return 1;
  return static_cast<uint32_t>(std::bit_width(waiting - 1));
}

bool OriginBudget::Reserve(uint32_t peer, uint32_t limit, absl::Time now) {
  if (slots_.size() >= limit || Find(peer) != nullptr) return false;
  ReserveForced(peer, now);
  return true;
}

void OriginBudget::ReserveForced(uint32_t peer, absl::Time now) {
  if (Find(peer) != nullptr) return;
  slots_.push_back(Slot{peer, size(), now});
  last_granted_ = now;
}

bool OriginBudget::Release(uint32_t peer) {
  return std::erase_if(slots_, [peer](const Slot& slot) { return slot.peer == peer; }) != 0;
}

void OriginBudget::Progress(uint32_t peer, absl::Time now) {
  for (Slot& slot : slots_) {
    if (slot.peer == peer) slot.progress = now;
  }
}

const OriginBudget::Slot* OriginBudget::Find(uint32_t peer) const {
  auto it = std::find_if(slots_.begin(), slots_.end(),
                         [peer](const Slot& slot) { return slot.peer == peer; });
  return it == slots_.end() ? nullptr : &*it;
}

}  // namespace dragonfly::scheduler::core
