#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dragonfly::scheduler::core {

// The states of peers and tasks are one byte and a table (docs/reference/scheduler-fsm.md prints
// it; a test holds the two equal). The names are those upstream puts on the wire in Peer.state and
// Task.state.

enum class PeerState : uint8_t {
  kPending,
  kReceivedEmpty,
  kReceivedTiny,   // kept for the wire; nothing of v2 enters it
  kReceivedSmall,  // kept for the wire; nothing of v2 enters it
  kReceivedNormal,
  kRunning,
  kBackToSource,
  kSucceeded,
  kFailed,
  kLeave
};
inline constexpr int kPeerStates = 10;

enum class PeerEvent : uint8_t {
  kRegisterEmpty,
  kRegisterTiny,
  kRegisterSmall,
  kRegisterNormal,
  kDownload,
  kDownloadBackToSource,
  kDownloadSucceeded,
  kDownloadFailed,
  kLeave
};
inline constexpr int kPeerEvents = 9;

enum class TaskState : uint8_t { kPending, kRunning, kSucceeded, kFailed, kLeave };
inline constexpr int kTaskStates = 5;

enum class TaskEvent : uint8_t { kDownload, kDownloadSucceeded, kDownloadFailed, kLeave };
inline constexpr int kTaskEvents = 4;

// The state after `event`, or nothing where the table does not allow it.
std::optional<PeerState> Next(PeerState state, PeerEvent event);
std::optional<TaskState> Next(TaskState state, TaskEvent event);

std::string_view Name(PeerState state);
std::string_view Name(PeerEvent event);
std::string_view Name(TaskState state);
std::string_view Name(TaskEvent event);

// Both tables as a page of Markdown.
std::string RenderStateMachines();

// Pending and Received*: registered, nothing downloaded yet.
constexpr bool IsBeforeDownload(PeerState state) { return state <= PeerState::kReceivedNormal; }
constexpr bool IsReceived(PeerState state) {
  return state >= PeerState::kReceivedEmpty && state <= PeerState::kReceivedNormal;
}
constexpr bool IsEnded(PeerState state) { return state >= PeerState::kSucceeded; }

}  // namespace dragonfly::scheduler::core
