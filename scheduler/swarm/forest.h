#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "scheduler/swarm/places.h"
#include "scheduler/swarm/rng.h"
#include "scheduler/swarm/types.h"

namespace dragonfly::scheduler::swarm {

// Who takes which stripe of a task from whom: for each stripe a forest whose roots have all of the
// content or read the origin, with interiors that have nobody in common. A member passes one stripe
// on, to as many children as its uplink carries, and is a leaf in the other. Children that speak
// upstream's protocol only have one parent, for all.
//
// The owner tells what happens to members, and takes the list of those whose parents have changed,
// to tell them. docs/design/swarm.md has the rules and the figures behind them.
//
// Cost: O(depth) for what concerns one member, and for each of its children when it leaves;
// O(members) when the rate that a child can expect has moved by a tenth, which in a flash crowd is
// O(log members) times.
//
// Threading: a value; one thread at a time. The uplinks are shared. Randomness by `seed`.
class Forest {
 public:
  struct Options {
    // Candidates of one depth that are compared.
    uint32_t looked_at = 15;
  };

  // `rules` outlives it.
  Forest(const Rules& rules, Options options, uint64_t seed)
      : rules_(&rules), options_(options), rng_(seed) {}
  ~Forest();
  Forest(const Forest&) = delete;
  Forest& operator=(const Forest&) = delete;

  // ---- what happens ----

  // `progress`: pieces that it has already.
  void Join(Member member, const Traits& traits, uint32_t progress);
  // It reads the origin, or is a seed that does: from now on it can pass on everything and depends
  // on nobody.
  void BecomeUniversal(Member member);
  // Not any more, and it is not complete: it needs parents like everybody.
  void BecomeOrdinary(Member member);
  // It has all of the content.
  void Complete(Member member);
  void Leave(Member member);
  // Finished pieces; may lag behind by a few.
  void SetProgress(Member member, uint32_t pieces);
  // May serve from now on, or not: it is suspected to hang, or shares no more.
  void SetServes(Member member, bool serves);
  // The estimate of its uplink has changed.
  void OnEstimate(Member member);
  // `child` cannot use `parent`, which by now is not Usable for it.
  void Refuse(Member child, Member parent);
  // What may have been impossible before is tried again for one without all its primaries.
  void Retry(Member child);
  // Other spares than it has, which are of no use.
  void ExchangeSpares(Member child);

  // ---- what follows ----

  // Members whose parents have changed since the last call, each once; they may have left since.
  std::vector<Member> TakeChanged();
  bool has(Member member) const {
    return member < nodes_.size() && nodes_[member].uplink != nullptr;
  }
  bool universal(Member member) const { return nodes_[member].universal; }
  // kNobody: there is none at present.
  Member primary(Member member, uint32_t stripe) const { return nodes_[member].parent[stripe]; }
  // What is told to a child. Of ours: the primaries by stripe, which may be the same one, then
  // spares; an upstream one's only parent. Empty: it has to wait.
  absl::InlinedVector<Member, kStripes + kSpares> ParentsOf(Member member) const;
  // A primary in every stripe, or none needed.
  bool rooted(Member member) const;
  uint32_t interior(Member member) const { return nodes_[member].interior; }
  uint32_t children(Member member) const {
    return static_cast<uint32_t>(nodes_[member].children.size());
  }
  // Edges between it and a member without parents or a universal one, in a stripe.
  uint32_t DepthOf(Member member, uint32_t stripe) const;
  // Who is at the top of its tree: universal, unless all of this tree waits.
  Member RootOf(Member member, uint32_t stripe) const;
  // Bytes per second that an unfinished member can expect.
  int64_t fair_rate() const;
  // Of ours, not universal, with the most pieces: who should read the origin when nobody does.
  Member MostAdvanced() const;
  // Members that need nobody.
  uint32_t universals() const { return universals_; }
  size_t size() const { return members_.size(); }

  // Every rule that ties the structures together; O(everything). `alone`: nobody else reserves of
  // these uplinks. For tests.
  absl::Status Audit(bool alone) const;

 private:
  // An upstream child's one edge counts for all stripes.
  static constexpr uint8_t kWhole = kStripes;
  static constexpr uint16_t kMostDepth = 1000;

  struct Child {
    Member member = kNobody;
    uint8_t stripe = 0;
  };
  struct Node {
    Uplink* uplink = nullptr;  // null: not a member
    int64_t downlink = 0;
    int64_t share = 0;                        // its part of uplink_sum_
    int64_t capacity = 0;                     // its part of capacity_, as interior
    std::array<int64_t, kStripes> rate = {};  // reserved at the parent; of a whole edge: [0]
    std::array<Member, kStripes> parent = {kNobody, kNobody};
    std::array<Member, kSpares> spare = {kNobody, kNobody};
    std::array<uint16_t, kStripes> depth = {};  // as of its last move
    absl::InlinedVector<Child, 2> children;
    absl::InlinedVector<Member, 2> spare_of;
    uint32_t progress = 0;
    uint32_t position = 0;  // in members_
    uint8_t interior = kNoStripe;
    bool stripes = true;
    bool serves = true;
    bool universal = false;
    bool done = false;
    bool changed = false;
    bool overloaded = false;  // stands in overloaded_
    bool orphan = false;      // stands in orphans_
  };

  // A place for a child, found and not yet taken.
  struct Spot {
    Member parent = kNobody;
    Member pushed = kNobody;  // the leaf that makes way, and becomes the child's child
  };
  enum class Need : uint8_t { kAnything, kRoom };

  // forest.cc: members and edges.
  void Link(Member child, uint32_t stripe, Member parent);
  void Unlink(Member child, uint32_t stripe);
  void Refile(Member member);
  void Refile(Member member, uint32_t stripe);
  void Changed(Member member);
  int64_t RateOf(const Node& node) const;  // of one edge to it
  Member Above(Member member, uint32_t stripe) const {
    return nodes_[member].universal ? kNobody : nodes_[member].parent[stripe];
  }
  bool IsBelow(Member member, Member above, uint32_t stripe) const;
  bool PassesOn(const Node& node, uint32_t stripe) const {
    return node.serves && (node.universal || node.interior == stripe);
  }
  bool SameHost(Member a, Member b) const { return nodes_[a].uplink == nodes_[b].uplink; }
  Member MovableLeaf(const Node& node, uint32_t stripe) const;
  void SetUniversal(Node& node, bool universal);
  template <typename Which>
  void MoveChildren(Member member, const Which& which);
  void Orphan(Member member);
  void DropSpares(Member member);
  void DropAsSpare(Member member);
  void FindSpares(Member member);

  // forest_attach.cc: where a child goes.
  bool Attach(Member child, uint32_t stripe, Need need = Need::kAnything, double below = 1e18);
  bool AttachWhole(Member child);
  std::optional<Spot> FindRoom(Member child, uint32_t stripe);
  std::optional<Spot> FindOverflow(Member child, uint32_t stripe, double below);
  bool CanBeParent(Member parent, Member child, uint32_t stripe) const;
  bool IsBehind(Member parent, Member child) const;
  bool IsStale(Member member, uint32_t stripe);
  Member RoomAt(uint32_t depth, Member child, uint32_t stripe);
  Spot LeafAt(uint32_t depth, Member child, uint32_t stripe);

  // forest_audit.cc
  absl::Status AuditMember(Member member) const;
  absl::Status AuditSums(bool alone) const;

  // forest_balance.cc: rates, and hosts that promised more than they have.
  void AddShare(Member member);
  void Rescale();
  void ChooseInterior(Member member);
  void LeaveInterior(Member member);
  void NoteLoad(Member member);
  void Drain(uint32_t stripe);
  void Shed(Member member);
  void AttachOrphans();

  const Rules* rules_;
  Options options_;
  Rng rng_;
  std::vector<Node> nodes_;
  std::vector<Member> members_;  // dense, for drawing
  Places places_;
  std::vector<Member> changed_;
  std::vector<Member> overloaded_;
  std::vector<Member> orphans_;  // have a stripe without a parent, or had one
  uint32_t unfinished_ = 0;
  uint32_t universals_ = 0;
  int64_t uplink_sum_ = 0;
  int64_t rescaled_at_ = 0;  // the fair rate for which edges were reserved
  std::array<int64_t, kStripes> capacity_ = {};
};

}  // namespace dragonfly::scheduler::swarm
