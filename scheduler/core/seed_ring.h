#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dragonfly::scheduler::core {

// Which seed peer reads a task: a consistent hash ring that every scheduler of a cluster computes
// alike (docs/reference/scheduler.md, "Seed ring"). A member stands at 20 points, CRC32-IEEE of the
// decimal index followed by "IP:Port"; a task belongs to the first point strictly greater than the
// CRC32 of its id. Immutable.
class SeedRing {
 public:
  struct Member {
    std::string host_id;
    std::string address;  // "IP:Port" of DfdaemonUpload, IPv6 in brackets
  };

  SeedRing() = default;
  explicit SeedRing(std::vector<Member> members);

  bool empty() const { return members_.empty(); }
  const std::vector<Member>& members() const { return members_; }
  // Walks the ring from the owner of `task_id` and returns the first member that `usable` accepts,
  // each member being asked once; null when there is none.
  const Member* Pick(std::string_view task_id,
                     const std::function<bool(const Member&)>& usable) const;
  const Member* Owner(std::string_view task_id) const;

 private:
  std::vector<Member> members_;                        // by address
  std::vector<std::pair<uint32_t, uint32_t>> points_;  // hash, index of the member; by hash
};

}  // namespace dragonfly::scheduler::core
