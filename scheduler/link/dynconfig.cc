#include "scheduler/link/dynconfig.h"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

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
constexpr size_t kMaxApplications = 10'000;

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

absl::Status ReadApplications(const Value& value,
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
      [&applications](const Value& value) { return ReadApplications(value, &applications); },
      [] { return std::string("[]"); }, "priorities by application and URL pattern");
  schema.Number<uint32_t>("schedulerClusterConfig.candidateParentLimit",
                          &config.candidate_parent_limit, 1, 20,
                          "parents that a child is offered at once");
  schema.Number<uint32_t>("schedulerClusterConfig.filterParentLimit", &config.filter_parent_limit,
                          10, 1000, "peers that are looked at for a child");
  schema.Number<uint32_t>("schedulerClusterConfig.jobRateLimit", &config.job_rate_limit, 0,
                          1'000'000, "jobs a minute; 0: no limit");
  schema.Number<uint32_t>("seedPeerClusterConfig.loadLimit", &config.seed_load_limit, 1, 1'000'000,
                          "children of a seed peer's host");
  schema.Number<uint32_t>("schedulerClusterClientConfig.loadLimit", &config.peer_load_limit, 1,
                          1'000'000, "children of a normal host");
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

absl::Status CreateDefault(common::os::Env& env, const std::string& path) {
  absl::StatusOr<std::unique_ptr<common::os::File>> file =
      env.Open(path, common::os::OpenMode::kCreateExclusive, 0644);
  if (!file.ok()) return file.status();
  const std::string text = DefaultDynconfig();
  absl::Status written =
      (*file)->WriteAt(0, std::as_bytes(std::span<const char>(text.data(), text.size())));
  absl::Status closed = (*file)->Close();
  return written.ok() ? closed : written;
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

struct DynconfigFile::Impl {
  Impl(common::os::Env& the_env, Options the_options, std::function<void(Snapshot)> callback)
      : env(the_env), options(std::move(the_options)), on_change(std::move(callback)) {}

  absl::Status Load() {
    absl::StatusOr<std::string> text = ReadText(env, options.path);
    if (!text.ok()) return text.status();
    {
      std::lock_guard lock(mutex);
      if (snapshot != nullptr && *text == last_text) return absl::OkStatus();
    }
    std::vector<std::string> warnings;
    absl::StatusOr<Snapshot> parsed =
        ParseDynconfig(*text, options.path, options.strict, &warnings);
    if (!parsed.ok()) return parsed.status();
    for (const std::string& warning : warnings) log::Warning(warning);
    {
      std::lock_guard lock(mutex);
      last_text = *std::move(text);
      snapshot = *parsed;
    }
    if (on_change) on_change(*parsed);
    return absl::OkStatus();
  }

  void Run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      const auto interval = absl::ToChronoMilliseconds(options.refresh_interval);
      if (wake.wait_for(lock, interval, [this] { return stopping; })) return;
      lock.unlock();
      absl::Status loaded = Load();
      if (!loaded.ok() && log::OncePerMinute("dynconfig")) {
        log::Warning("dynconfig is not taken over; the last good one stays in force",
                     log::kv("path", options.path), log::kv("error", loaded));
      }
      lock.lock();
    }
  }

  common::os::Env& env;
  const Options options;
  const std::function<void(Snapshot)> on_change;
  mutable std::mutex mutex;  // guards what follows
  std::condition_variable wake;
  bool stopping = false;
  std::string last_text;
  Snapshot snapshot;
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<DynconfigFile>> DynconfigFile::Open(
    common::os::Env& env, Options options, std::function<void(Snapshot)> on_change) {
  auto impl = std::make_unique<Impl>(env, std::move(options), std::move(on_change));
  absl::Status loaded = impl->Load();
  if (absl::IsNotFound(loaded)) {
    absl::Status created = CreateDefault(env, impl->options.path);
    if (!created.ok()) {
      return common::status::Annotate(created,
                                      "dynconfig is missing and cannot be created; name another "
                                      "file with --dynconfig");
    }
    log::Info("dynconfig created with defaults", log::kv("path", impl->options.path));
    loaded = impl->Load();
  }
  if (!loaded.ok()) return common::status::Annotate(loaded, "dynconfig");
  Impl* running = impl.get();
  impl->thread = std::thread([running] { running->Run(); });
  return std::unique_ptr<DynconfigFile>(new DynconfigFile(std::move(impl)));
}

DynconfigFile::DynconfigFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

DynconfigFile::~DynconfigFile() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

Snapshot DynconfigFile::current() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

absl::Status DynconfigFile::Refresh() { return impl_->Load(); }

}  // namespace dragonfly::scheduler::link
