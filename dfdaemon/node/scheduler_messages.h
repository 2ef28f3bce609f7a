#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfdaemon/core/download_event.h"
#include "dfdaemon/node/scheduler_session.h"
#include "proto/scheduler_v2.pb.h"

namespace dragonfly::dfdaemon::node {

// The messages of one AnnouncePeer stream, both ways, as a value: no stream, no clock. What it
// makes passes the validators of upstream's scheduler (proto/rules); what it reads is checked,
// because a parent's address becomes a dial target.
//
// docs/reference/announce_peer.md describes the conversation.
class SchedulerMessages {
 public:
  using Request = ::scheduler::v2::AnnouncePeerRequest;
  using Response = ::scheduler::v2::AnnouncePeerResponse;

  struct Options {
    std::string host_id;  // this node's
    uint32_t concurrent_piece_count = 8;
  };

  // INVALID_ARGUMENT when `registration.download` is no Download.
  static absl::StatusOr<SchedulerMessages> Make(Options options, Registration registration);

  Request Register() const;
  // The first message again, with what has been learned since. For schedulers of ours only: others
  // take it for a new registration.
  Request Refresh(const core::Geometry& geometry);
  Request Started() const;
  Request SourceStarted(std::string description) const;
  // A piece without a parent came from the origin.
  Request PieceFinished(const core::PieceInfo& piece) const;
  // Without a parent nothing can be said: nullopt.
  std::optional<Request> PieceFailed(std::string_view parent_id,
                                     std::optional<core::PieceNumber> number) const;
  // Names those of `bad_parents` that this stream has offered.
  Request Reschedule(const std::vector<std::string>& bad_parents, std::string description) const;
  // The terminal message, after what the origin said if that was the failure.
  std::vector<Request> End(bool from_source, const absl::Status& status) const;

  struct Answer {
    // Unset: nothing that the other side of SchedulerSession needs to know.
    std::optional<SchedulerAnswer> answer;
    // Candidates that cannot be dialled, with the reason; for the log.
    std::vector<std::string> dropped;
    // The registration is fulfilled (metadata only): say Started, End(OK).
    bool registered = false;
  };
  // `ours`: the scheduler speaks our extensions, and a description may carry "slice=i/k".
  Answer Read(const Response& response, bool ours);

  // How the stream's end is told. `answered`: the scheduler has answered before.
  static core::RegistrationEnded EndedBy(const absl::Status& status, bool answered,
                                         std::string_view scheduler);

 private:
  SchedulerMessages(Options options, Registration registration);
  Request Empty() const;
  // `ours`: the first two are primary sources, which may be the same one.
  core::AnswerParents ReadParents(const ::scheduler::v2::NormalTaskResponse& response, bool ours,
                                  std::vector<std::string>& dropped);

  Options options_;
  std::string task_id_;
  std::string peer_id_;
  ::common::v2::Download download_;
  // Candidates of all answers by peer id, as they must be named in Reschedule. Bounded.
  std::map<std::string, ::common::v2::Peer, std::less<>> offered_;
};

// "slice=2/5" anywhere in a description: {2, 5}; {0, 1} when it is not there or makes no sense.
struct Slice {
  uint32_t index = 0;
  uint32_t count = 1;
};
Slice SliceOf(std::string_view description);

}  // namespace dragonfly::dfdaemon::node
