#pragma once

#include <cstdint>
#include <memory>
#include <optional>

namespace dragonfly::dfdaemon::core {

// Whose block goes out next: one for each uplink (a core of the process has one, the simulator has
// one for each host). Knows requests for pieces, not connections and not bytes; the caller sends.
//
// Order: requests that a child may count on (Kind::kPrimary), then steals already begun, then
// others; within a class the child that was served longest ago, of that child its oldest request.
// At most `window` blocks of a request are on the wire. So every child that has a sendable request
// is served at least once in (children x window) blocks of its class, whatever the others ask for;
// a lower class waits for the higher ones besides.
// (docs/design/swarm.md tells what else was tried.)
//
// Threading: a value; one thread at a time; no clock.
class UploadOrder {
 public:
  using Key = uint64_t;    // of a request; the caller's, unique while it is here
  using Child = uint64_t;  // whoever asks; the caller's

  enum class Kind : uint8_t {
    kPrimary,  // from a child that depends on us, or that does not say (upstream's)
    kSteal,    // from a child that has another parent for the piece
    kLast,     // what waits until nothing else can be sent: upstream's at a reader of the origin
  };

  struct Ask {
    Key key = 0;
    Child child = 0;
    Kind kind = Kind::kPrimary;
    uint32_t first_block = 0;
    uint32_t end_block = 0;     // one after the last; > first_block
    uint32_t ready_blocks = 0;  // blocks [0, ready_blocks) of the piece are here
    bool only_whole = false;    // nothing of it is sent before all of it is here
  };

  // Blocks of a request that are sent and not yet delivered.
  explicit UploadOrder(uint32_t window = 4);
  ~UploadOrder();
  UploadOrder(UploadOrder&&) noexcept;
  UploadOrder& operator=(UploadOrder&&) noexcept;

  // False: a steal while something else can be sent or is being sent (`sending`): answer "busy".
  // Never false for others.
  [[nodiscard]] bool Add(const Ask& ask, bool sending);
  // More of the piece is here. Unknown keys are ignored, here and below.
  void SetReady(Key key, uint32_t ready_blocks);
  // The request whose next block is to be sent now; it counts as sent. Nothing: nothing can be.
  struct Next {
    Key key = 0;
    uint32_t block = 0;
    bool last = false;  // of the request, which is forgotten once it was delivered
  };
  std::optional<Next> TakeNext();
  // A block that was taken has left (the transport has room again).
  void Delivered(Key key);
  // Withdrawn, or its connection is gone.
  void Remove(Key key);

  bool CanSend() const;
  size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dragonfly::dfdaemon::core
