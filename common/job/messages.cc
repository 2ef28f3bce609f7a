#include "common/job/messages.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/job/signature.h"
#include "common/job/time_text.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::job {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using status::Invalid;
using status::StdView;
using status::Sv;

constexpr size_t kMostItems = 10'001;
constexpr int kMaxMessageDepth = 32;

bool SameWithoutCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

int DepthOf(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_text = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
      continue;
    }
    if (c == '"') in_text = true;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

// Reads the fields of an object one after the other, and keeps the first thing that is wrong.
class Fields {
 public:
  Fields(const json& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  // Null: missing or null.
  const json* Find(std::string_view name) const {
    for (const auto& [key, value] : object_.items()) {
      if (SameWithoutCase(key, name)) return value.is_null() ? nullptr : &value;
    }
    return nullptr;
  }
  void Wrong(std::string_view name, std::string_view what) {
    if (status_.ok()) status_ = Invalid(StdView(absl::StrCat(prefix_, Sv(name), ": ", Sv(what))));
  }
  void Text(std::string_view name, std::string& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_string()) return Wrong(name, "is no text");
    out = value->get<std::string>();
  }
  void Text(std::string_view name, std::optional<std::string>& out) {
    if (Find(name) == nullptr) return;
    out.emplace();
    Text(name, *out);
  }
  void Flag(std::string_view name, bool& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_boolean()) return Wrong(name, "is not true or false");
    out = value->get<bool>();
  }
  void Number(std::string_view name, int64_t& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    const bool fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<uint64_t>() <= std::numeric_limits<int64_t>::max());
    if (!fits) return Wrong(name, "is no whole number");
    out = value->get<int64_t>();
  }
  void Number(std::string_view name, std::optional<uint64_t>& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_number_unsigned()) return Wrong(name, "is no number from 0 on");
    out = value->get<uint64_t>();
  }
  void Nanoseconds(std::string_view name, absl::Duration& out) {
    int64_t count = 0;
    Number(name, count);
    if (count < 0) return Wrong(name, "is negative");
    out = absl::Nanoseconds(count);
  }
  void Texts(std::string_view name, std::vector<std::string>& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() >= kMostItems)
      return Wrong(name, "is no list, or too long");
    for (const json& item : *value) {
      if (!item.is_string()) return Wrong(name, "has something that is no text");
      out.push_back(item.get<std::string>());
    }
  }
  void Base64s(std::string_view name, std::vector<std::string>& out) {
    std::vector<std::string> texts;
    Texts(name, texts);
    for (const std::string& text : texts) {
      std::string bytes;
      if (!absl::Base64Unescape(text, &bytes))
        return Wrong(name, "has something that is no base64");
      out.push_back(std::move(bytes));
    }
  }
  void TextMap(std::string_view name, std::map<std::string, std::string>& out) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_object() || value->size() >= kMostItems)
      return Wrong(name, "is no object, or too long");
    for (const auto& [key, item] : value->items()) {
      if (!item.is_string()) return Wrong(name, "has something that is no text");
      out.emplace(key, item.get<std::string>());
    }
  }
  // Null: missing, null or something else.
  const json* Object(std::string_view name) {
    const json* value = Find(name);
    if (value == nullptr || value->is_object()) return value;
    Wrong(name, "is no object");
    return nullptr;
  }
  void Take(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }
  const absl::Status& status() const { return status_; }

 private:
  const json& object_;
  const std::string prefix_;
  absl::Status status_;
};

absl::StatusOr<json> ReadMessage(std::string_view text) {
  json out(json::value_t::discarded);
  if (text.size() <= kMaxSignatureBytes && DepthOf(text) <= kMaxMessageDepth) {
    out = json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
  if (!out.is_object()) return Invalid("the argument of the job is no JSON object");
  return out;
}

std::string WriteMessage(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

absl::Status ReadStorage(const json& object, ObjectStorage& out) {
  Fields fields(object, "object_storage.");
  fields.Text("region", out.region);
  fields.Text("endpoint", out.endpoint);
  fields.Text("access_key_id", out.access_key_id);
  fields.Text("access_key_secret", out.access_key_secret);
  fields.Text("session_token", out.session_token);
  fields.Text("credential_path", out.credential_path);
  fields.Text("predefined_acl", out.predefined_acl);
  fields.Text("security_token", out.security_token);
  if (fields.Find("insecure_skip_verify") != nullptr) {
    bool flag = false;
    fields.Flag("insecure_skip_verify", flag);
    out.insecure_skip_verify = flag;
  }
  return fields.status();
}

ordered_json StorageJson(const ObjectStorage& storage) {
  ordered_json out = ordered_json::object();
  const auto text = [&out](const char* name, const std::optional<std::string>& value) {
    if (value.has_value()) out[name] = *value;
  };
  text("region", storage.region);
  text("endpoint", storage.endpoint);
  text("access_key_id", storage.access_key_id);
  text("access_key_secret", storage.access_key_secret);
  text("session_token", storage.session_token);
  text("credential_path", storage.credential_path);
  text("predefined_acl", storage.predefined_acl);
  text("security_token", storage.security_token);
  if (storage.insecure_skip_verify.has_value()) {
    out["insecure_skip_verify"] = *storage.insecure_skip_verify;
  }
  return out;
}

template <typename T>
ordered_json OrNull(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json OnTarget(const PreheatResponse::Target& target, bool failed) {
  ordered_json out;
  out["url"] = target.url;
  out["hostname"] = target.hostname;
  out["ip"] = target.ip;
  if (failed) out["description"] = target.description;
  return out;
}

ordered_json OnTarget(const DeleteTaskResponse::Target& target, bool failed) {
  ordered_json out;
  out["hostname"] = target.hostname;
  out["ip"] = target.ip;
  out["host_type"] = target.host_type;
  if (failed) out["description"] = target.description;
  return out;
}

template <typename Response>
std::string TargetsJson(const Response& response) {
  ordered_json out;
  ordered_json succeeded = ordered_json::array();
  ordered_json failed = ordered_json::array();
  for (const auto& target : response.succeeded) succeeded.push_back(OnTarget(target, false));
  for (const auto& target : response.failed) failed.push_back(OnTarget(target, true));
  out["success_tasks"] = std::move(succeeded);
  out["failure_tasks"] = std::move(failed);
  out["scheduler_cluster_id"] = response.scheduler_cluster_id;
  return WriteMessage(out);
}

}  // namespace

absl::StatusOr<PreheatRequest> ParsePreheatRequest(std::string_view text) {
  absl::StatusOr<json> document = ReadMessage(text);
  if (!document.ok()) return document.status();
  Fields fields(*document, "");
  PreheatRequest out;
  std::string url;
  fields.Text("url", url);
  fields.Texts("urls", out.urls);
  if (!url.empty() && std::find(out.urls.begin(), out.urls.end(), url) == out.urls.end()) {
    out.urls.push_back(url);
  }
  fields.Number("pieceLength", out.piece_length);
  fields.Text("tag", out.tag);
  fields.Text("filtered_query_params", out.filtered_query_params);
  fields.TextMap("headers", out.headers);
  fields.Text("application", out.application);
  fields.Number("priority", out.priority);
  fields.Text("scope", out.scope);
  fields.Texts("ips", out.ips);
  fields.Number("percentage", out.percentage);
  fields.Number("count", out.count);
  fields.Number("concurrent_task_count", out.concurrent_task_count);
  fields.Number("concurrent_peer_count", out.concurrent_peer_count);
  fields.Base64s("certificate_chain", out.certificate_chain);
  fields.Flag("insecure_skip_verify", out.insecure_skip_verify);
  fields.Nanoseconds("timeout", out.timeout);
  fields.Text("group_uuid", out.group_uuid);
  fields.Text("task_uuid", out.task_uuid);
  if (const json* storage = fields.Object("object_storage")) {
    out.object_storage.emplace();
    fields.Take(ReadStorage(*storage, *out.object_storage));
  }
  if (const json* hdfs = fields.Object("hdfs")) {
    Fields inner(*hdfs, "hdfs.");
    out.hdfs_delegation_token.emplace();
    inner.Text("delegation_token", *out.hdfs_delegation_token);
    fields.Take(inner.status());
  }
  fields.Text("output_path", out.output_path);
  if (!fields.status().ok()) return fields.status();
  return out;
}

std::string PreheatRequestJson(const PreheatRequest& request) {
  ordered_json out;
  out["url"] = "";
  out["urls"] = request.urls;
  out["pieceLength"] = OrNull(request.piece_length);
  out["tag"] = request.tag;
  out["filtered_query_params"] = request.filtered_query_params;
  out["headers"] = request.headers;
  out["application"] = request.application;
  out["priority"] = request.priority;
  out["scope"] = request.scope;
  out["ips"] = request.ips;
  out["percentage"] = OrNull(request.percentage);
  out["count"] = OrNull(request.count);
  out["concurrent_task_count"] = request.concurrent_task_count;
  out["concurrent_peer_count"] = request.concurrent_peer_count;
  ordered_json chain = ordered_json::array();
  for (const std::string& bytes : request.certificate_chain) {
    chain.push_back(absl::Base64Escape(bytes));
  }
  out["certificate_chain"] = std::move(chain);
  out["insecure_skip_verify"] = request.insecure_skip_verify;
  out["timeout"] = absl::ToInt64Nanoseconds(request.timeout);
  out["group_uuid"] = request.group_uuid;
  out["task_uuid"] = request.task_uuid;
  out["object_storage"] = nullptr;
  if (request.object_storage.has_value())
    out["object_storage"] = StorageJson(*request.object_storage);
  out["hdfs"] = nullptr;
  if (request.hdfs_delegation_token.has_value()) {
    ordered_json hdfs = ordered_json::object();
    if (!request.hdfs_delegation_token->empty()) {
      hdfs["delegation_token"] = *request.hdfs_delegation_token;
    }
    out["hdfs"] = std::move(hdfs);
  }
  out["output_path"] = request.output_path;
  return WriteMessage(out);
}

absl::StatusOr<TaskRequest> ParseTaskRequest(std::string_view text) {
  absl::StatusOr<json> document = ReadMessage(text);
  if (!document.ok()) return document.status();
  Fields fields(*document, "");
  TaskRequest out;
  fields.Text("task_id", out.task_id);
  fields.Nanoseconds("timeout", out.timeout);
  fields.Text("group_uuid", out.group_uuid);
  fields.Text("task_uuid", out.task_uuid);
  fields.Number("concurrent_peer_count", out.concurrent_peer_count);
  if (!fields.status().ok()) return fields.status();
  return out;
}

std::string TaskRequestJson(const TaskRequest& request) {
  ordered_json out;
  out["task_id"] = request.task_id;
  out["timeout"] = absl::ToInt64Nanoseconds(request.timeout);
  out["group_uuid"] = request.group_uuid;
  out["task_uuid"] = request.task_uuid;
  out["concurrent_peer_count"] = request.concurrent_peer_count;
  return WriteMessage(out);
}

std::string PreheatResponseJson(const PreheatResponse& response) { return TargetsJson(response); }

std::string DeleteTaskResponseJson(const DeleteTaskResponse& response) {
  return TargetsJson(response);
}

std::string GetTaskResponseJson(const GetTaskResponse& response) {
  ordered_json peers = ordered_json::array();
  for (const GetTaskResponse::Peer& peer : response.peers) {
    ordered_json one;
    one["id"] = peer.id;
    one["hostname"] = peer.hostname;
    one["ip"] = peer.ip;
    one["host_type"] = peer.host_type;
    one["created_at"] = TimeText(peer.created_at);
    one["updated_at"] = TimeText(peer.updated_at);
    one["IsFinished"] = peer.is_finished;
    peers.push_back(std::move(one));
  }
  ordered_json out;
  out["peers"] = std::move(peers);
  out["scheduler_cluster_id"] = response.scheduler_cluster_id;
  return WriteMessage(out);
}

// Upstream's structure has members that are written as {} (atomic numbers and times): left out,
// which its reader takes as well; a number there would break it.
std::string SyncPeersResponseJson(const std::vector<SyncedHost>& hosts) {
  ordered_json list = ordered_json::array();
  for (const SyncedHost& host : hosts) {
    ordered_json one;
    one["ID"] = host.id;
    one["Type"] = host.type;
    one["Hostname"] = host.hostname;
    one["IP"] = host.ip;
    one["Port"] = host.port;
    one["DownloadPort"] = host.download_port;
    one["ProxyPort"] = host.proxy_port;
    one["ObjectStoragePort"] = 0;
    one["OS"] = host.os;
    one["Platform"] = host.platform;
    one["PlatformFamily"] = host.platform_family;
    one["PlatformVersion"] = host.platform_version;
    one["KernelVersion"] = host.kernel_version;
    ordered_json network;
    network["IDC"] = host.idc;
    network["Location"] = host.location;
    one["Network"] = std::move(network);
    ordered_json build;
    build["GitVersion"] = host.git_version;
    build["GitCommit"] = host.git_commit;
    build["Platform"] = host.build_platform;
    one["Build"] = std::move(build);
    one["SchedulerClusterID"] = host.scheduler_cluster_id;
    list.push_back(std::move(one));
  }
  return WriteMessage(list);
}

}  // namespace dragonfly::common::job
