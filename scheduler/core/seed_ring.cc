#include "scheduler/core/seed_ring.h"

#include <zlib.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace dragonfly::scheduler::core {
namespace {

constexpr int kPointsPerMember = 20;

uint32_t Crc(std::string_view text) {
  // zlib takes its own byte and length types; ids and addresses are far below 4 GiB.
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

}  // namespace

SeedRing::SeedRing(std::vector<Member> members) : members_(std::move(members)) {
  std::sort(members_.begin(), members_.end(),
            [](const Member& a, const Member& b) { return a.address < b.address; });
  members_.erase(
      std::unique(members_.begin(), members_.end(),
                  [](const Member& a, const Member& b) { return a.address == b.address; }),
      members_.end());
  std::map<uint32_t, uint32_t> circle;
  for (uint32_t index = 0; index < members_.size(); ++index) {
    for (int point = 0; point < kPointsPerMember; ++point) {
      circle[Crc(absl::StrCat(point, members_[index].address))] = index;
    }
  }
  points_.assign(circle.begin(), circle.end());
}

const SeedRing::Member* SeedRing::Pick(std::string_view task_id,
                                       const std::function<bool(const Member&)>& usable) const {
  if (points_.empty()) return nullptr;
  const uint32_t key = Crc(task_id);
  auto first = std::upper_bound(points_.begin(), points_.end(), key,
                                [](uint32_t value, const std::pair<uint32_t, uint32_t>& point) {
                                  return value < point.first;
                                });
  const size_t start = first == points_.end() ? 0 : static_cast<size_t>(first - points_.begin());
  std::vector<bool> asked(members_.size(), false);
  for (size_t step = 0; step < points_.size(); ++step) {
    const uint32_t index = points_[(start + step) % points_.size()].second;
    if (asked[index]) continue;
    asked[index] = true;
    if (usable(members_[index])) return &members_[index];
  }
  return nullptr;
}

const SeedRing::Member* SeedRing::Owner(std::string_view task_id) const {
  return Pick(task_id, [](const Member&) { return true; });
}

}  // namespace dragonfly::scheduler::core
