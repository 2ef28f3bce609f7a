#include "dfdaemon/node/dynconfig.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/schema.h"
#include "common/log/log.h"
#include "common/net/endpoint.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfdaemon::node {
namespace {

namespace log = common::log;
using common::config::Schema;
using common::status::ErrorReason;
using common::status::MakeStatus;
using log::kv;

void AddBlockList(Schema& schema, const std::string& key, std::shared_ptr<const BlockList>* member,
                  std::string doc) {
  schema.Custom(
      key, "map",
      [key, member](const common::config::Value& value) {
        auto list = BlockList::Read(value, key);
        if (list.ok()) *member = *std::move(list);
        return list.status();
      },
      [] { return std::string("{}"); }, std::move(doc));
}

void Bind(Schema& schema, Dynconfig& config) {
  schema.Text("scheduler.addr", &config.scheduler_addr,
              "name:port whose addresses are the schedulers");
  schema.TextList("scheduler.addrs", &config.scheduler_addrs,
                  "ip:port of each scheduler; replaces scheduler.addr");
  AddBlockList(schema, "clientConfig", &config.block_list, "what peers may not download");
  AddBlockList(schema, "seedClientConfig", &config.seed_block_list,
               "what seed peers may not download");
}

void WriteDefaults(const std::string& path) {
  Dynconfig defaults;
  Schema schema;
  Bind(schema, defaults);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  std::ofstream file(path);
  file << "# Written with the defaults because it was missing; read again while dfdaemon runs.\n"
       << schema.PrintYaml();
  file.close();
  if (!file) {
    if (log::OncePerMinute("dynconfig defaults")) {
      log::Warning("no dynconfig file, and none could be written: using the defaults",
                   kv("path", path), kv("scheduler.addr", defaults.scheduler_addr));
    }
    return;
  }
  log::Info("dynconfig file written with the defaults", kv("path", path));
}

}  // namespace

std::vector<std::string> Dynconfig::SchedulerTargets() const {
  if (!scheduler_addrs.empty()) return scheduler_addrs;
  if (scheduler_addr.empty()) return {};
  return {scheduler_addr};
}

absl::StatusOr<Dynconfig> LoadDynconfig(const std::string& path) {
  Dynconfig config;
  Schema schema;
  Bind(schema, config);
  const auto warnings = schema.LoadFile(path);
  if (absl::IsNotFound(warnings.status())) {
    WriteDefaults(path);
    return Dynconfig();
  }
  if (!warnings.ok()) return warnings.status();
  for (const std::string& warning : *warnings) {
    if (log::OncePerMinute(warning)) log::Warning("dynconfig", kv("warning", warning));
  }
  for (const std::string& target : config.SchedulerTargets()) {
    auto parsed = ParseTarget(target);
    if (!parsed.ok()) return common::status::Annotate(parsed.status(), path);
  }
  return config;
}

absl::StatusOr<Target> ParseTarget(const std::string& text) {
  Target target;
  if (const auto endpoint = common::net::Endpoint::Parse(text); endpoint.ok()) {
    target.host = endpoint->ip.ToString();
    target.port = endpoint->port;
    if (target.port != 0) return target;
  }
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon > 0 && text.find(':') == colon) {
    target.host = text.substr(0, colon);
    target.port = common::status::ParseInteger<uint16_t>(text.substr(colon + 1)).value_or(0);
    if (target.port != 0) return target;
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat("scheduler \"", text,
                                 "\" is not host:port; write \"scheduler.example.com:8002\" or "
                                 "\"10.0.0.1:8002\""));
}

}  // namespace dragonfly::dfdaemon::node
