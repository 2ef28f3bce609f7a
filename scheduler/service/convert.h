#pragma once

#include <memory>
#include <optional>
#include <string>

#include "scheduler/core/decision.h"
#include "scheduler/core/event.h"

namespace common::v2 {
class Host;
class Peer;
class Task;
}  // namespace common::v2
namespace scheduler::v2 {
class AnnounceHostRequest;
class AnnouncePeerRequest;
class AnnouncePeerResponse;
}  // namespace scheduler::v2

namespace dragonfly::scheduler::service {

// Between scheduler.v2 and the core's plain structs. Requests have passed proto/rules.

core::HostFacts FactsOf(const ::scheduler::v2::AnnounceHostRequest& request);

// The register part of a request; stream, host and extensions are the caller's to fill in.
core::Register RegisterOf(const ::scheduler::v2::AnnouncePeerRequest& request);
// Any other message; the peer is named by its ids. Nothing for an unknown or missing oneof member.
std::optional<core::PeerMessage> MessageOf(const ::scheduler::v2::AnnouncePeerRequest& request);

// `upstream`: the child is not of our make and expects an unknown length as 2^64-1.
::scheduler::v2::AnnouncePeerResponse ParentsResponse(const core::CandidateParents& candidates,
                                                      bool upstream);
::common::v2::Peer PeerMessageOf(const core::TaskView& task, const core::PeerView& peer);
::common::v2::Task TaskMessageOf(const core::TaskView& task);
// For ListHosts: with its name, and whether it is shared.
::common::v2::Host HostMessageOf(const core::HostFacts& facts);

}  // namespace dragonfly::scheduler::service
