#pragma once

#include <cstdint>

#include "scheduler/swarm/uplink.h"

namespace dragonfly::scheduler::swarm {

// A peer of the task, by the number that its owner gave it: small, used again after it has left.
using Member = uint32_t;
inline constexpr Member kNobody = UINT32_MAX;

// Pieces with number mod kStripes = s are stripe s.
inline constexpr uint32_t kStripes = 2;
inline constexpr uint32_t kNoStripe = kStripes;
// Parents beside the primaries, for when these are late.
inline constexpr uint32_t kSpares = 2;

struct Traits {
  // Of its host, shared by all its peers; outlives the membership. Two members with the same uplink
  // are on the same host.
  Uplink* uplink = nullptr;
  int64_t downlink = 0;  // bytes per second; 0: not known, not a limit
  bool stripes = true;   // a peer of ours: primaries by stripe, passes blocks on, may be pushed
  bool serves = true;    // may be a parent at all
};

// What only the owner knows about pairs of members.
class Rules {
 public:
  virtual ~Rules() = default;
  // `parent` may send to `child`: neither refused the other, the host shares and has not as many
  // children as its limit allows. (That they are not on one host, and no circle, is seen to here.)
  virtual bool Usable(Member parent, Member child) const = 0;
  // More is better; compares parents that are equally near to the source and have room.
  virtual double Preference(Member parent, Member child) const = 0;
};

}  // namespace dragonfly::scheduler::swarm
