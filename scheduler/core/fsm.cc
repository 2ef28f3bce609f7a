#include "scheduler/core/fsm.h"

#include <array>
#include <cstddef>

namespace dragonfly::scheduler::core {
namespace {

constexpr uint16_t Bit(PeerState state) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(state));
}
constexpr uint16_t Bit(TaskState state) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(state));
}

template <typename State>
struct Row {
  std::string_view name;
  uint16_t from;  // bit per state
  State to;
};

constexpr uint16_t kReceived = Bit(PeerState::kReceivedEmpty) | Bit(PeerState::kReceivedTiny) |
                               Bit(PeerState::kReceivedSmall) | Bit(PeerState::kReceivedNormal);
constexpr uint16_t kDownloading = Bit(PeerState::kRunning) | Bit(PeerState::kBackToSource);

constexpr std::array<Row<PeerState>, kPeerEvents> kPeerTable = {{
    {"RegisterEmpty", Bit(PeerState::kPending), PeerState::kReceivedEmpty},
    {"RegisterTiny", Bit(PeerState::kPending), PeerState::kReceivedTiny},
    {"RegisterSmall", Bit(PeerState::kPending), PeerState::kReceivedSmall},
    {"RegisterNormal", Bit(PeerState::kPending), PeerState::kReceivedNormal},
    {"Download", kReceived, PeerState::kRunning},
    {"DownloadBackToSource", kReceived | Bit(PeerState::kRunning), PeerState::kBackToSource},
    {"DownloadSucceeded", kReceived | kDownloading, PeerState::kSucceeded},
    {"DownloadFailed",
     Bit(PeerState::kPending) | kReceived | kDownloading | Bit(PeerState::kSucceeded),
     PeerState::kFailed},
    {"Leave",
     Bit(PeerState::kPending) | kReceived | kDownloading | Bit(PeerState::kSucceeded) |
         Bit(PeerState::kFailed),
     PeerState::kLeave},
}};

constexpr std::array<Row<TaskState>, kTaskEvents> kTaskTable = {{
    {"Download",
     Bit(TaskState::kPending) | Bit(TaskState::kSucceeded) | Bit(TaskState::kFailed) |
         Bit(TaskState::kLeave),
     TaskState::kRunning},
    {"DownloadSucceeded",
     Bit(TaskState::kLeave) | Bit(TaskState::kRunning) | Bit(TaskState::kFailed),
     TaskState::kSucceeded},
    {"DownloadFailed", Bit(TaskState::kRunning), TaskState::kFailed},
    {"Leave",
     Bit(TaskState::kPending) | Bit(TaskState::kRunning) | Bit(TaskState::kSucceeded) |
         Bit(TaskState::kFailed),
     TaskState::kLeave},
}};

constexpr std::array<std::string_view, kPeerStates> kPeerStateNames = {
    "Pending", "ReceivedEmpty", "ReceivedTiny", "ReceivedSmall", "ReceivedNormal",
    "Running", "BackToSource",  "Succeeded",    "Failed",        "Leave"};
constexpr std::array<std::string_view, kTaskStates> kTaskStateNames = {
    "Pending", "Running", "Succeeded", "Failed", "Leave"};

template <typename State, size_t kRows, size_t kStates>
void Render(std::string& out, const std::array<Row<State>, kRows>& table,
            const std::array<std::string_view, kStates>& names) {
  out += "| event | from | to |\n|---|---|---|\n";
  for (const Row<State>& row : table) {
    out += "| ";
    out += row.name;
    out += " | ";
    bool first = true;
    for (size_t state = 0; state < kStates; ++state) {
      if ((row.from & (1U << state)) == 0) continue;
      if (!first) out += ", ";
      out += names[state];
      first = false;
    }
    out += " | ";
    out += names[static_cast<size_t>(row.to)];
    out += " |\n";
  }
}

}  // namespace

std::optional<PeerState> Next(PeerState state, PeerEvent event) {
  const Row<PeerState>& row = kPeerTable[static_cast<size_t>(event)];
  if ((row.from & Bit(state)) == 0) return std::nullopt;
  return row.to;
}

std::optional<TaskState> Next(TaskState state, TaskEvent event) {
  const Row<TaskState>& row = kTaskTable[static_cast<size_t>(event)];
  if ((row.from & Bit(state)) == 0) return std::nullopt;
  return row.to;
}

std::string_view Name(PeerState state) { return kPeerStateNames[static_cast<size_t>(state)]; }
std::string_view Name(TaskState state) { return kTaskStateNames[static_cast<size_t>(state)]; }
std::string_view Name(PeerEvent event) { return kPeerTable[static_cast<size_t>(event)].name; }
std::string_view Name(TaskEvent event) { return kTaskTable[static_cast<size_t>(event)].name; }

std::string RenderStateMachines() {
  std::string out =
      "# State machines of the scheduler\n\n"
      "Printed from the tables in `scheduler/core/fsm.cc`. An event that has no row for the "
      "present\n"
      "state is refused; the stream that caused it ends with INTERNAL unless the handler allows "
      "it\n"
      "(`docs/reference/scheduler.md`).\n\n## Peer\n\n";
  Render(out, kPeerTable, kPeerStateNames);
  out += "\n## Task\n\n";
  Render(out, kTaskTable, kTaskStateNames);
  return out;
}

}  // namespace dragonfly::scheduler::core
