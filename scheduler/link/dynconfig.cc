#include "scheduler/link/dynconfig.h"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/schema.h"
#include "common/log/log.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::scheduler::link {
namespace {

using common::config::Schema;
using common::config::Value;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::Sv;
namespace log = common::log;

constexpr size_t kMaxFileBytes = 4U << 20;

absl::Status Wrong(const Value& value, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    common::status::StdView(absl::StrCat("line ", value.line, ": ", Sv(what))));
}

const Value* Member(const Value& map, std::string_view key) {
  for (const auto& [name, value] : map.map) {
    if (absl::EqualsIgnoreCase(Sv(name), Sv(key))) return &value;
  }
  return nullptr;
}

absl::StatusOr<std::string> TextOf(const Value& map, std::string_view key) {
  const Value* value = Member(map, key);
  if (value == nullptr || value->kind != Value::Kind::kScalar || value->scalar.empty()) {
    return Wrong(map, common::status::StdView(absl::StrCat(Sv(key), ": missing; give a text")));
  }
  return value->scalar;
}

absl::StatusOr<int> PriorityOf(const Value& map, std::string_view key) {
  const Value* value = Member(map, key);
  if (value == nullptr || value->kind == Value::Kind::kNull) return 0;
  const auto number = common::status::ParseInteger<int>(value->scalar);
  if (value->kind != Value::Kind::kScalar || !number.has_value() || *number < 0 || *number > 6) {
    return Wrong(*value, common::status::StdView(absl::StrCat(Sv(key), ": '", value->scalar,
                                                              "' is no priority; use 0 to 6")));
  }
  return *number;
}

// - name: app
//   priority: {value: 4, urls: [{regex: "...", value: 2}]}
absl::Status ReadApplication(const Value& item, core::PriorityRules::Application* out) {
  auto name = TextOf(item, "name");
  if (!name.ok()) return name.status();
  out->name = *name;
  const Value* priority = Member(item, "priority");
  if (priority == nullptr || priority->kind == Value::Kind::kNull) return absl::OkStatus();
  auto value = PriorityOf(*priority, "value");
  if (!value.ok()) return value.status();
  out->default_value = *value;
  const Value* urls = Member(*priority, "urls");
  if (urls == nullptr) return absl::OkStatus();
  for (const Value& url : urls->list) {
    auto regex = TextOf(url, "regex");
    if (!regex.ok()) return regex.status();
    auto url_value = PriorityOf(url, "value");
    if (!url_value.ok()) return url_value.status();
    out->urls.push_back({*regex, *url_value});
  }
  return absl::OkStatus();
}

absl::Status ReadApplicationList(const Value& value,
                                 std::vector<core::PriorityRules::Application>* out) {
  if (value.kind == Value::Kind::kNull) return absl::OkStatus();
  if (value.kind != Value::Kind::kList || value.list.size() > kMaxApplications) {
    return Wrong(value, "expected a list of at most 10000 applications");
  }
  for (const Value& item : value.list) {
    core::PriorityRules::Application application;
    absl::Status read = ReadApplication(item, &application);
    if (!read.ok()) return read;
    out->push_back(std::move(application));
  }
  return absl::OkStatus();
}

void Bind(Schema& schema, core::ClusterConfig& config,
          std::vector<core::PriorityRules::Application>& applications) {
  schema.Custom(
      "applications", "list",
      [&applications](const Value& value) { return ReadApplicationList(value, &applications); },
      [] { return std::string("[]"); }, "priorities by application and URL pattern");
  const auto number = [&schema](std::string key, uint32_t* member, Bounds bounds, std::string doc) {
    schema.Number<uint32_t>(std::move(key), member, bounds.least, bounds.most, std::move(doc));
  };
  number("schedulerClusterConfig.candidateParentLimit", &config.candidate_parent_limit,
         kCandidateParentLimit, "parents that a child is offered at once");
  number("schedulerClusterConfig.filterParentLimit", &config.filter_parent_limit,
         kFilterParentLimit, "peers that are looked at for a child");
  number("schedulerClusterConfig.jobRateLimit", &config.job_rate_limit, kJobRateLimit,
         "jobs a minute; 0: no limit");
  number("seedPeerClusterConfig.loadLimit", &config.seed_load_limit, kLoadLimit,
         "children of a seed peer's host");
  number("schedulerClusterClientConfig.loadLimit", &config.peer_load_limit, kLoadLimit,
         "children of a normal host");
  schema.Ignored("seedPeerClusterConfig.blockList", "enforced by the daemons");
  schema.Ignored("schedulerClusterClientConfig.blockList", "enforced by the daemons");
}

absl::StatusOr<std::string> ReadText(common::os::Env& env, const std::string& path) {
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env.Open(path, common::os::OpenMode::kRead);
  if (!file.ok()) return file.status();
  absl::StatusOr<common::os::FileInfo> info = (*file)->Stat();
  if (!info.ok()) return info.status();
  if (info->size > kMaxFileBytes) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      common::status::StdView(absl::StrCat(path, " is larger than 4 MiB")));
  }
  std::string text(info->size, '\0');
  absl::StatusOr<size_t> read =
      (*file)->ReadAt(0, std::as_writable_bytes(std::span<char>(text.data(), text.size())));
  if (!read.ok()) return read.status();
  text.resize(*read);
  return text;
}

}  // namespace

absl::StatusOr<Snapshot> ParseDynconfig(std::string_view text, std::string_view name, bool strict,
                                        std::vector<std::string>* warnings) {
  auto config = std::make_shared<core::ClusterConfig>();
  std::vector<core::PriorityRules::Application> applications;
  Schema::Options options;
  options.strict = strict;
  options.ignore_case = true;
  Schema schema(options);
  Bind(schema, *config, applications);
  absl::StatusOr<Schema::Warnings> loaded = schema.Load(text, name);
  if (!loaded.ok()) return loaded.status();
  if (warnings != nullptr) *warnings = *std::move(loaded);
  auto rules = core::PriorityRules::Compile(applications);
  if (!rules.ok()) return common::status::Annotate(rules.status(), name);
  config->priorities = *rules;
  return Snapshot(std::move(config));
}

std::string DefaultDynconfig() {
  core::ClusterConfig config;
  std::vector<core::PriorityRules::Application> applications;
  Schema schema;
  Bind(schema, config, applications);
  return schema.PrintYaml();
}

DynconfigFile::DynconfigFile(common::os::Env& env, Options options)
    : env_(env), options_(std::move(options)) {}

absl::Status DynconfigFile::CreateDefault() {
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env_.Open(options_.path, common::os::OpenMode::kCreateExclusive, 0644);
  if (!file.ok()) return file.status();
  const std::string text = DefaultDynconfig();
  absl::Status written =
      (*file)->WriteAt(0, std::as_bytes(std::span<const char>(text.data(), text.size())));
  absl::Status closed = (*file)->Close();
  return written.ok() ? closed : written;
}

absl::StatusOr<Snapshot> DynconfigFile::AtStart() {
  absl::StatusOr<std::optional<Snapshot>> read = Read();
  if (absl::IsNotFound(read.status())) {
    absl::Status created = CreateDefault();
    if (!created.ok()) {
      return common::status::Annotate(created,
                                      "dynconfig is missing and cannot be created; name another "
                                      "file with --dynconfig");
    }
    log::Info("dynconfig created with defaults", log::kv("path", options_.path));
    read = Read();
  }
  if (!read.ok()) return common::status::Annotate(read.status(), "dynconfig");
  return **std::move(read);  // the first one is always new
}

absl::StatusOr<std::optional<Snapshot>> DynconfigFile::Read() {
  absl::StatusOr<std::string> text = ReadText(env_, options_.path);
  if (!text.ok()) return text.status();
  if (has_last_ && *text == last_text_) return std::optional<Snapshot>();
  std::vector<std::string> warnings;
  absl::StatusOr<Snapshot> parsed =
      ParseDynconfig(*text, options_.path, options_.strict, &warnings);
  if (!parsed.ok()) return parsed.status();
  for (const std::string& warning : warnings) log::Warning(warning);
  last_text_ = *std::move(text);
  has_last_ = true;
  return std::optional<Snapshot>(*std::move(parsed));
}

}  // namespace dragonfly::scheduler::link
