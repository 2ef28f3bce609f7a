#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "dfdaemon/core/types.h"

namespace dragonfly::dfdaemon::core {

// What happens to a Download (events), and what it wants done (actions). Plain values: the drivers
// in dfdaemon/task turn the world into events and carry out actions; the simulator does both
// itself.
//
// Ids are handed out by the core (FetchId) or by the driver (RequestId) and never used twice in one
// Download. Actions are carried out in the order given. An event that speaks of something the core
// has given up (a cancelled fetch, a closed parent) is allowed and ignored.

using RequestId = uint64_t;
using FetchId = uint64_t;

// ---- events ----

// A caller wants (a part of) the task. The first one starts the download.
struct Attach {
  RequestId request = 0;
  std::optional<ByteRange> range;  // unset: everything
  bool may_use_source = true;      // !disable_back_to_source
  bool must_use_source = false;    // need_back_to_source: a seed that the scheduler triggered
  bool in_order = false;           // reads while it is fetched: the first missing pieces come first
};
// A caller went away. The last one cancels the download.
struct Detach {
  RequestId request = 0;
};

// The scheduler's answers, in any number, at any time while a registration is open.
struct AnswerParents {
  std::vector<ParentInfo> parents;  // best first
  // The first two are the primary sources of the pieces with an even and with an odd number.
  bool striped = false;
};
struct AnswerSource {
  std::string description;
  // Readers of an origin that share the work: read slice `slice_index` of `slice_count` first.
  uint32_t slice_index = 0;
  uint32_t slice_count = 1;
};
struct AnswerEmpty {};  // the content is known to have 0 bytes
// The registration is over: refused, lost, or no scheduler could be reached. `host_unknown`: the
// scheduler has forgotten this host; the driver has announced it again by the time it says so.
struct RegistrationEnded {
  absl::Status status;
  bool host_unknown = false;
};

// What a parent speaks, once its stream is open and it has said so; ParentInfo is what others say
// of it. Before its first offer.
struct ParentSpeaks {
  std::string peer_id;
  bool blocks = false;
  bool keepalive = false;
};
// A parent says which pieces it has, by and by.
struct PieceOffer {
  PieceNumber number = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  // False: begun. Its first block is verified and the rest will follow. Only parents that pass
  // blocks on say that; the same piece is offered again when it is whole.
  bool whole = true;
};
// No offers at all: a keepalive.
struct ParentOffers {
  std::string peer_id;
  std::vector<PieceOffer> offers;
};
// It has told all it was asked for (OK), or its stream broke.
struct ParentEnded {
  std::string peer_id;
  absl::Status status;
};
struct ParentLoad {
  std::string host_id;
  uint64_t max_tx_bandwidth = 0;  // bit/s
  uint64_t tx_bandwidth = 0;
};

// 0 bytes: nothing came, but for a reason of our own (a limiter, a full pool); nobody is to blame.
struct FetchProgress {
  FetchId fetch = 0;
  uint64_t bytes = 0;  // since the last report
  // Blocks from the first on that are verified and stay, whatever becomes of this fetch; 0: the
  // driver keeps nothing of a piece that is not whole.
  uint32_t kept_blocks = 0;
};
// The piece is verified and stored.
struct FetchDone {
  FetchId fetch = 0;
  PieceInfo piece;
};
struct FetchFailed {
  FetchId fetch = 0;
  absl::Status status;                  // its ErrorReason decides who is to blame
  std::optional<uint32_t> kept_blocks;  // of the piece, now; unset: as was said before
};
// The same for a piece that nobody fetches: a cancelled fetch has left less or more than it said.
struct PieceKept {
  PieceNumber number = 0;
  uint32_t kept_blocks = 0;
};

// The origin has answered. Validators and headers are the driver's business.
struct SourceHead {
  std::optional<uint64_t> content_length;  // of the whole content
  bool ranges = false;                     // the origin serves ranges
};
struct SourceProgress {
  uint64_t bytes = 0;  // 0: as in FetchProgress
};
struct SourcePiece {
  PieceInfo piece;  // stored
};
// The stream is over. OK: everything that OpenSource asked for was delivered; for an origin without
// a length, `content_length` is what was counted. ABORTED with kOriginChanged: begin anew.
struct SourceEnded {
  absl::Status status;
  std::optional<uint64_t> content_length;
};

// A stored piece turned out to be bad (hash on first use after a crash).
struct PieceLost {
  PieceNumber number = 0;
};
// Result of VerifyDigest.
struct DigestChecked {
  RequestId request = 0;
  absl::Status status;
};
struct Shutdown {};

using Event =
    std::variant<Attach, Detach, AnswerParents, AnswerSource, AnswerEmpty, RegistrationEnded,
                 ParentSpeaks, ParentOffers, ParentEnded, ParentLoad, FetchProgress, FetchDone,
                 FetchFailed, PieceKept, SourceHead, SourceProgress, SourcePiece, SourceEnded,
                 PieceLost, DigestChecked, Shutdown>;

// ---- actions ----

// Open a registration (AnnouncePeer) with a scheduler, `attempt` 0, 1, ...: the first one, then the
// next on the ring. Any earlier registration is over. The driver announces the host first where
// that is due.
struct Register {
  uint32_t attempt = 0;
  bool need_source = false;
  Geometry geometry;  // piece_length 0 and no length: not known yet
};
// Tell the scheduler on the open registration; dropped when there is none.
struct ReportStarted {};
struct ReportSourceStarted {
  std::string description;
};
struct ReportGeometry {  // a reader has learned length and piece length (our schedulers only)
  Geometry geometry;
};
struct ReportPiece {
  PieceInfo piece;
};
struct ReportPieceFailed {
  std::string parent_id;
  std::optional<PieceNumber> number;
};
struct ReportReschedule {
  std::vector<std::string> bad_parents;  // peer ids not to be offered again
  std::string description;
};
// Terminal: the driver ends the registration in good order, without waiting for the scheduler.
struct ReportEnd {
  bool from_source = false;
  absl::Status status;  // OK: finished
};

// Ask a parent which of `interested` it has (SyncPieces), and for its load (SyncHost).
struct OpenParent {
  ParentInfo parent;
  std::vector<PieceNumber> interested;
};
struct CloseParent {
  std::string peer_id;
};
struct StartFetch {
  FetchId fetch = 0;
  std::string peer_id;
  PieceNumber number = 0;
  uint64_t offset = 0;  // of the piece
  uint64_t length = 0;
  // The piece has another parent in the first place: who is asked sends it only when nothing else
  // is to be sent, or answers "busy" (kOverloaded) at once. Means nothing to parents without
  // `blocks`.
  bool steal = false;
  uint32_t first_block = 0;  // those before it are here; 0 for parents without `blocks`
};
struct CancelFetch {
  FetchId fetch = 0;
};

// Read the origin from `offset` on, in order, and store what comes as pieces; pieces that are there
// already are skipped (with a range request where the origin has ranges). `length` unset: to the
// end.
struct OpenSource {
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};
struct CloseSource {};

// The cut of the task is known: storage and callers may be told.
struct SetGeometry {
  Geometry geometry;
};
// Everything stored is worthless (the origin has changed): storage begins anew.
struct DiscardContent {
  absl::Status why;
};
// All bytes of the request are there; check its digest if it has one and answer with DigestChecked.
struct VerifyDigest {
  RequestId request = 0;
};
// The request is over; exactly one for each Attach that was not detached.
struct FinishRequest {
  RequestId request = 0;
  absl::Status status;
};
// Every request is finished or detached, and nothing is open any more: the driver may destroy the
// core once it has delivered what it still holds. Comes in the same batch as the last
// FinishRequest.
struct Ended {};

using Action = std::variant<Register, ReportStarted, ReportSourceStarted, ReportGeometry,
                            ReportPiece, ReportPieceFailed, ReportReschedule, ReportEnd, OpenParent,
                            CloseParent, StartFetch, CancelFetch, OpenSource, CloseSource,
                            SetGeometry, DiscardContent, VerifyDigest, FinishRequest, Ended>;

}  // namespace dragonfly::dfdaemon::core
