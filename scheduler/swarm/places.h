#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "scheduler/swarm/types.h"

namespace dragonfly::scheduler::swarm {

// What somebody who passes a stripe on has to offer to a newcomer.
enum class Offer : uint8_t {
  kRoom,   // of its uplink
  kLeafy,  // none, but a child that is a leaf in the stripe and can be moved below the newcomer
  kFull,   // nothing: only when there is nothing else
};
inline constexpr uint32_t kOffers = 3;
inline constexpr std::array<Offer, kOffers> kAllOffers = {Offer::kRoom, Offer::kLeafy,
                                                          Offer::kFull};

// Members that may pass a stripe on, filed by stripe, offer and depth, so that the shallowest with
// room is found without looking at the rest. A member stands at most once in each stripe. What a
// place says may have grown old: who looks at it checks, and files it anew.
// Threading: a value. Every method O(1).
class Places {
 public:
  // Depths beyond it are filed there.
  static constexpr uint32_t kDeepest = 63;

  // Takes the member out of where it stands in the stripe, if it does, and files it.
  void File(Member member, uint32_t stripe, Offer offer, uint32_t depth);
  void Remove(Member member, uint32_t stripe);
  bool filed(Member member, uint32_t stripe) const;

  // Depths [0, depths) may have members.
  uint32_t depths(uint32_t stripe, Offer offer) const;
  // Longest filed first; kNobody: the end. `Next` of a member that was filed anew or removed in the
  // meantime is not defined: take it before.
  Member First(uint32_t stripe, Offer offer, uint32_t depth) const;
  Member Next(Member member, uint32_t stripe) const;

  struct Place {
    Offer offer = Offer::kFull;
    uint32_t depth = 0;
  };
  // Of a member that is filed.
  Place place(Member member, uint32_t stripe) const;

 private:
  struct Hook {
    Member before = kNobody;
    Member after = kNobody;
    uint8_t depth = 0;
    uint8_t list = kUnfiled;  // offer
  };
  struct List {
    Member first = kNobody;
    Member last = kNobody;
  };
  static constexpr uint8_t kUnfiled = 255;

  Hook& hook(Member member, uint32_t stripe) { return hooks_[member * kStripes + stripe]; }
  const Hook& hook(Member member, uint32_t stripe) const {
    return hooks_[member * kStripes + stripe];
  }

  std::vector<Hook> hooks_;
  // By stripe and offer, then depth; as deep as it was ever needed.
  std::array<std::array<std::vector<List>, kOffers>, kStripes> lists_;
};

}  // namespace dragonfly::scheduler::swarm
