#pragma once

// A scripted world around a DownloadCore: virtual time, events by hand, actions to look at.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/id/task_key.h"
#include "common/status/reason.h"
#include "dfdaemon/core/download_core.h"

namespace dragonfly::dfdaemon::core {

using common::status::ErrorReason;
using Actions = std::vector<Action>;

inline constexpr uint64_t kMiB = 1024 * 1024;
inline constexpr uint64_t kPiece = 4 * kMiB;

template <typename T>
std::vector<T> Of(const Actions& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* match = std::get_if<T>(&action)) found.push_back(*match);
  }
  return found;
}

template <typename T>
bool Has(const Actions& actions) {
  return !Of<T>(actions).empty();
}

inline absl::Status Failure(ErrorReason reason) {
  return common::status::MakeStatus(absl::StatusCode::kUnavailable, reason, "scripted");
}

inline absl::Status OriginSays(int http_status) {
  absl::Status status = Failure(ErrorReason::kOriginStatus);
  common::status::OriginError error;
  error.http_status = http_status;
  common::status::AttachOrigin(status, error);
  return status;
}

// `count` pieces of 4 MiB, the last one a byte short.
inline Geometry GeometryOf(uint32_t count) { return Geometry{kPiece, count * kPiece - 1}; }

inline StoredState Stored(uint32_t count, std::vector<PieceNumber> finished) {
  return StoredState{GeometryOf(count), std::move(finished)};
}

inline ParentInfo ParentOf(std::string peer_id, uint32_t count) {
  ParentInfo parent;
  parent.host_id = "host-" + peer_id;
  parent.peer_id = std::move(peer_id);
  parent.ip = "10.0.0.1";
  parent.port = 4000;
  if (count > 0) {
    parent.content_length = GeometryOf(count).content_length;
    parent.piece_count = count;
  }
  return parent;
}

// One that passes blocks on.
inline ParentInfo PassingParent(std::string peer_id, uint32_t count) {
  ParentInfo parent = ParentOf(std::move(peer_id), count);
  parent.blocks = true;
  return parent;
}

inline Attach Want(RequestId request) {
  Attach attach;
  attach.request = request;
  return attach;
}

inline PieceInfo PieceOf(const Geometry& geometry, PieceNumber number, std::string parent = "") {
  PieceInfo piece;
  piece.number = number;
  piece.offset = geometry.offset_of(number);
  piece.length = geometry.length_of(number);
  piece.parent_id = std::move(parent);
  return piece;
}

class Play {
 public:
  explicit Play(common::id::TaskKind kind, StoredState stored = {}, CoreOptions options = {})
      : core({kind, std::string(64, 'a')}, options, std::move(stored), 7) {}

  Actions Feed(const Event& event) {
    Actions actions;
    core.on(event, now, actions);
    Keep(actions);
    return actions;
  }
  // Lets time pass, stopping at every deadline on the way.
  Actions Wait(absl::Duration time) {
    const absl::Time until = now + time;
    Actions all;
    while (core.next_deadline() <= until) {
      now = std::max(now, core.next_deadline());
      Actions actions;
      core.on_time(now, actions);
      Keep(actions);
      all.insert(all.end(), actions.begin(), actions.end());
    }
    now = until;
    return all;
  }

  // Attach(1) and the answer of these parents.
  Actions BeginWith(const std::vector<ParentInfo>& parents) {
    Feed(Want(1));
    return Feed(AnswerParents{parents});
  }
  Actions Offer(const std::string& peer_id, const std::vector<PieceNumber>& numbers,
                bool whole = true) {
    ParentOffers offers{peer_id, {}};
    for (PieceNumber number : numbers) {
      offers.offers.push_back(
          {number, core.geometry().offset_of(number), core.geometry().length_of(number), whole});
    }
    return Feed(offers);
  }
  // The first block of it is there, the rest will follow.
  Actions OfferBegun(const std::string& peer_id, const std::vector<PieceNumber>& numbers) {
    return Offer(peer_id, numbers, false);
  }
  // `blocks` more blocks of it have come, of which `kept` stay whatever happens.
  Actions Blocks(const StartFetch& fetch, uint64_t blocks, uint32_t kept = 0) {
    return Feed(FetchProgress{fetch.fetch, blocks * kBlockBytes, kept});
  }
  Actions Done(const StartFetch& fetch) {
    return Feed(FetchDone{fetch.fetch, PieceOf(core.geometry(), fetch.number, fetch.peer_id)});
  }
  Actions Fail(const StartFetch& fetch, ErrorReason reason) {
    return Feed(FetchFailed{fetch.fetch, Failure(reason)});
  }
  Actions FromOrigin(PieceNumber number) {
    return Feed(SourcePiece{PieceOf(core.geometry(), number)});
  }
  // Lets every fetch succeed until none is started any more.
  Actions DoneAll(std::vector<StartFetch> fetches) {
    Actions all;
    for (size_t i = 0; i < fetches.size(); ++i) {
      const StartFetch fetch = fetches[i];
      const Actions actions = Done(fetch);
      all.insert(all.end(), actions.begin(), actions.end());
      for (const StartFetch& next : Of<StartFetch>(actions)) fetches.push_back(next);
    }
    return all;
  }

  DownloadCore core;
  absl::Time now = absl::FromUnixSeconds(1'000'000);
  Actions everything;

 private:
  void Keep(const Actions& actions) {
    everything.insert(everything.end(), actions.begin(), actions.end());
  }
};

}  // namespace dragonfly::dfdaemon::core
