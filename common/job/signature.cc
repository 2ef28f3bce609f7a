#include "common/job/signature.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/job/time_text.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::job {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using status::Invalid;

constexpr size_t kMaxIdBytes = 256;
constexpr int kMaxSignatureDepth = 32;
constexpr std::array<std::string_view, 6> kStates = {"PENDING", "RECEIVED", "STARTED",
                                                     "RETRY",   "SUCCESS",  "FAILURE"};

// Looks at brackets outside of texts only: parsing what is nested without end takes memory.
bool NestsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
      continue;
    }
    if (c == '"') in_text = true;
    if ((c == '{' || c == '[') && ++depth > kMaxSignatureDepth) return true;
    if (c == '}' || c == ']') --depth;
  }
  return false;
}

json ReadDocument(std::string_view text) {
  if (text.size() > kMaxSignatureBytes || NestsTooDeep(text)) {
    return json(json::value_t::discarded);
  }
  return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

// An id or name becomes part of keys and log lines: printable ASCII.
std::optional<std::string> IdOf(const json& document, const char* field) {
  const auto found = document.find(field);
  if (found == document.end() || !found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (text.empty() || text.size() > kMaxIdBytes || !printable) return std::nullopt;
  return text;
}

// The text of a field; empty when it is missing or something else.
std::string TextIn(const json& document, const char* field) {
  const auto found = document.find(field);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::StatusOr<std::optional<std::string>> ArgumentOf(const json& document) {
  const auto args = document.find("Args");
  if (args == document.end() || args->is_null()) return std::optional<std::string>();
  if (!args->is_array()) return Invalid("Args: is no list");
  if (args->empty()) return std::optional<std::string>();
  const json& first = (*args)[0];
  if (args->size() != 1 || !first.is_object()) return Invalid("Args: is not one argument");
  const auto value = first.find("Value");
  if (TextIn(first, "Type") != "string" || value == first.end() || !value->is_string()) {
    return Invalid("Args[0]: is no text");
  }
  return std::optional<std::string>(value->get<std::string>());
}

std::string Dump(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string_view StateName(State state) { return kStates[static_cast<size_t>(state)]; }

absl::StatusOr<Signature> ParseSignature(std::string_view text) {
  const json document = ReadDocument(text);
  if (!document.is_object()) return Invalid("it is no JSON object");
  Signature out;
  const auto uuid = IdOf(document, "UUID");
  const auto name = IdOf(document, "Name");
  if (!uuid.has_value()) return Invalid("UUID: is no id");
  if (!name.has_value()) return Invalid("Name: is no name of a job");
  out.uuid = *uuid;
  out.name = *name;
  out.routing_key = TextIn(document, "RoutingKey");
  out.group_uuid = TextIn(document, "GroupUUID");
  const auto count = document.find("GroupTaskCount");
  if (count != document.end() && count->is_number_integer()) {
    out.group_task_count = count->get<int64_t>();
  }
  absl::StatusOr<std::optional<std::string>> argument = ArgumentOf(document);
  if (!argument.ok()) return argument.status();
  out.argument = *std::move(argument);
  return out;
}

std::optional<std::string> SalvageUuid(std::string_view text) {
  const json document = ReadDocument(text);
  if (!document.is_object()) return std::nullopt;
  return IdOf(document, "UUID");
}

std::string SignatureJson(const Signature& signature) {
  ordered_json out;
  out["UUID"] = signature.uuid;
  out["Name"] = signature.name;
  out["RoutingKey"] = signature.routing_key;
  out["ETA"] = nullptr;
  out["GroupUUID"] = signature.group_uuid;
  out["GroupTaskCount"] = signature.group_task_count;
  out["Args"] = nullptr;
  if (signature.argument.has_value()) {
    ordered_json argument;
    argument["Name"] = "";
    argument["Type"] = "string";
    argument["Value"] = *signature.argument;
    out["Args"] = ordered_json::array({argument});
  }
  out["Headers"] = nullptr;
  out["Priority"] = 0;
  out["Immutable"] = false;
  out["RetryCount"] = 0;
  out["RetryTimeout"] = 0;
  for (const char* callback : {"OnSuccess", "OnError", "ChordCallback"}) out[callback] = nullptr;
  for (const char* broker : {"BrokerMessageGroupId", "SQSReceiptHandle"}) out[broker] = "";
  out["StopTaskDeletionOnError"] = false;
  out["IgnoreWhenTaskNotRegistered"] = false;
  return Dump(out);
}

std::string TaskStateJson(const TaskState& state) {
  ordered_json out;
  out["TaskUUID"] = state.uuid;
  out["TaskName"] = state.name;
  out["State"] = std::string(StateName(state.state));
  out["Results"] = nullptr;
  if (state.result.has_value()) {
    ordered_json result;
    result["Type"] = "string";
    result["Value"] = *state.result;
    out["Results"] = ordered_json::array({result});
  }
  out["Error"] = state.error;
  out["CreatedAt"] = TimeText(state.created);
  out["TTL"] = 0;
  return Dump(out);
}

absl::StatusOr<TaskState> ParseTaskState(std::string_view text) {
  const json document = ReadDocument(text);
  if (!document.is_object()) return Invalid("the state of a job is no JSON object");
  TaskState out;
  out.uuid = TextIn(document, "TaskUUID");
  out.name = TextIn(document, "TaskName");
  const std::string state = TextIn(document, "State");
  const auto* known = std::find(kStates.begin(), kStates.end(), state);
  if (known == kStates.end()) return Invalid("State: is none");
  out.state = static_cast<State>(known - kStates.begin());
  const auto results = document.find("Results");
  if (results != document.end() && results->is_array() && !results->empty() &&
      (*results)[0].is_object()) {
    out.result = TextIn((*results)[0], "Value");
  }
  out.error = TextIn(document, "Error");
  out.created = TimeOf(TextIn(document, "CreatedAt"));
  return out;
}

std::string SchedulerQueue(uint64_t cluster_id, std::string_view hostname, std::string_view ip) {
  return absl::StrCat("scheduler_", cluster_id, "_", status::Sv(hostname), "_", status::Sv(ip));
}

}  // namespace dragonfly::common::job
