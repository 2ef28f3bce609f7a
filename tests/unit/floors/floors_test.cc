// The floors of the building: which module may include which. What is not in the table fails.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Module -> modules whose headers it may include, beside its own and those below it in `common`.
// Arrows point down: main -> service -> task and friends -> adapters -> core -> common.
const std::map<std::string, std::set<std::string>> kAllowed = {
    {"common/status", {}},
    {"common/version", {}},
    {"common/os", {"common/status"}},
    {"common/digest", {"common/status"}},
    {"common/net", {"common/status", "common/os"}},
    {"common/id", {"common/status", "common/digest", "common/os", "common/net"}},
    {"common/limit",
     {"common/status", "common/os", "common/net", "common/log", "common/telemetry",
      "common/config"}},
    {"common/log", {"common/status", "common/os"}},
    {"common/config", {"common/status", "common/net", "common/log"}},
    {"common/program", {"common/config", "common/log", "common/status", "common/version"}},
    {"common/telemetry", {"common/status", "common/os", "proto"}},
    {"common/async", {"common/status", "common/net", "common/log", "common/os"}},
    {"common/trace",
     {"common/async", "common/log", "common/os", "common/status", "common/telemetry"}},
    {"common/crypto",
     {"common/async", "common/config", "common/digest", "common/net", "common/log", "common/status",
      "common/os"}},
    {"common/http",
     {"common/crypto", "common/async", "common/net", "common/log", "common/status", "common/os",
      "common/telemetry", "common/limit", "common/version"}},
    {"common/manager", {"common/status", "common/os", "common/net", "common/digest"}},
    {"common/oci",
     {"common/async", "common/digest", "common/http", "common/id", "common/log", "common/net",
      "common/status"}},
    {"common/redis",
     {"common/async", "common/crypto", "common/log", "common/net", "common/os", "common/status"}},
    {"common/job", {"common/status"}},
    {"common/rpc",
     {"common/crypto", "common/async", "common/net", "common/log", "common/status", "common/os",
      "common/id", "common/telemetry", "common/digest", "common/limit", "common/trace", "proto"}},
    {"common/otlp",
     {"common/async", "common/config", "common/crypto", "common/http", "common/log", "common/os",
      "common/rpc", "common/status", "common/telemetry", "common/trace", "common/version",
      "proto"}},

    {"proto/rules", {"proto", "common/*"}},

    {"scheduler/swarm", {}},
    {"scheduler/core",
     {"scheduler/swarm", "common/status", "common/id", "common/digest", "common/net"}},
    {"scheduler/shard", {"scheduler/core", "common/*"}},
    {"scheduler/seed", {"scheduler/core", "scheduler/shard", "common/*", "proto"}},
    {"scheduler/replica", {"scheduler/core", "common/*"}},
    {"scheduler/job", {"scheduler/core", "scheduler/shard", "common/*", "proto"}},
    {"scheduler/link", {"scheduler/core", "common/*", "proto"}},
    {"scheduler/service",
     {"scheduler/core", "scheduler/shard", "scheduler/seed", "scheduler/replica", "scheduler/job",
      "scheduler/link", "common/*", "proto"}},
    {"scheduler/app", {"scheduler/*", "common/*", "proto"}},
    {"scheduler", {"scheduler/*", "common/*", "proto"}},

    {"dfdaemon/core", {"common/status", "common/id"}},
    {"dfdaemon/storage", {"dfdaemon/core", "common/*"}},
    {"dfdaemon/transfer", {"dfdaemon/core", "common/*"}},
    {"dfdaemon/transfer/grpc", {"dfdaemon/core", "dfdaemon/transfer", "common/*", "proto"}},
    {"dfdaemon/upload", {"dfdaemon/core", "dfdaemon/storage", "dfdaemon/transfer", "common/*"}},
    {"dfdaemon/source", {"dfdaemon/core", "common/*"}},
    {"dfdaemon/node", {"dfdaemon/core", "dfdaemon/transfer", "common/*", "proto"}},
    {"dfdaemon/task",
     {"dfdaemon/core", "dfdaemon/storage", "dfdaemon/transfer", "dfdaemon/upload",
      "dfdaemon/source", "dfdaemon/node", "common/*"}},
    {"dfdaemon/service",
     {"dfdaemon/core", "dfdaemon/storage", "dfdaemon/transfer/grpc", "dfdaemon/upload",
      "dfdaemon/source", "dfdaemon/node", "dfdaemon/task", "common/*", "proto"}},
    {"dfdaemon/app", {"dfdaemon/*", "common/*", "proto"}},
    {"dfdaemon", {"dfdaemon/*", "common/*", "proto"}},

    {"dfget/cli", {"common/*", "proto"}},
    {"dfget/dfget", {"dfget/cli", "common/*"}},

    {"manager/liveness", {"common/status"}},
    {"manager/store", {"manager/store/sql", "common/*"}},
    {"manager/store/sql", {"common/*"}},
    {"manager/search", {"common/status", "common/net"}},
    {"manager/cache", {"manager/store", "manager/search", "manager/liveness", "common/*"}},
    {"manager/service",
     {"manager/cache", "manager/store", "manager/search", "manager/liveness", "common/*", "proto"}},
    {"manager/auth", {"common/status", "common/os", "common/net"}},
    {"manager/rest",
     {"manager/store", "manager/store/sql", "manager/auth", "manager/search", "common/*"}},
    {"manager/app", {"manager/*", "manager/store/sql", "common/*"}},
    {"manager", {"manager/*", "common/*"}},
};

// Headers that cost seconds to compile: each belongs to the wrappers named here and appears in no
// other header. Sources may include what they need.
const std::vector<std::pair<std::string, std::set<std::string>>> kDearHeaders = {
    {"spdlog/", {}},
    {"fmt/", {}},
    {"boost/beast", {}},
    {"boost/asio", {"common/async"}},
    {"nlohmann/", {}},
    {"yaml-cpp/", {}},
    {"prometheus/", {}},
    {"curl/", {"common/http"}},
    {"hiredis/", {}},
    {"CLI/", {"common/program"}},
    {"cppconn/", {}},
    {"mysql_", {}},
    {"grpcpp/", {"common/rpc"}},
    {"google/protobuf/", {"proto/rules", "common/rpc", "dfdaemon/service"}},
};

fs::path Root() {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  return root != nullptr ? fs::path(root) : fs::current_path();
}

// The module a repository path belongs to: its folder without testing/ at the end, or the one above
// it where the table has no row of its own for a folder so deep; all generated and written headers
// straight below proto/ are "proto".
std::string ModuleOf(fs::path path) {
  fs::path folder = path.parent_path();
  while (folder.filename() == "testing" || (std::distance(folder.begin(), folder.end()) > 2 &&
                                            !kAllowed.contains(folder.generic_string()))) {
    folder = folder.parent_path();
  }
  return folder.generic_string();
}

bool Allows(const std::set<std::string>& allowed, const std::string& module) {
  if (allowed.contains(module)) return true;
  const std::string top = module.substr(0, module.find('/'));
  if (top == "proto" && allowed.contains("proto")) return true;
  return allowed.contains(top + "/*");
}

struct Include {
  std::string file;
  int line = 0;
  std::string target;
  bool quoted = false;
};

std::vector<Include> IncludesOf(const fs::path& file, const std::string& name) {
  std::vector<Include> includes;
  std::ifstream in(file);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const size_t at = line.find_first_not_of(" \t");
    if (at == std::string::npos || line.compare(at, 8, "#include") != 0) continue;
    const size_t open = line.find_first_of("\"<", at + 8);
    if (open == std::string::npos) continue;
    const size_t close = line.find_first_of("\">", open + 1);
    if (close == std::string::npos) continue;
    includes.push_back({name, number, line.substr(open + 1, close - open - 1), line[open] == '"'});
  }
  return includes;
}

std::vector<fs::path> Sources() {
  std::vector<fs::path> sources;
  for (const char* top : {"common", "scheduler", "dfdaemon", "dfget", "manager", "proto"}) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(Root() / top)) {
      const std::string extension = entry.path().extension();
      if (entry.is_regular_file() && (extension == ".cc" || extension == ".h")) {
        sources.push_back(fs::relative(entry.path(), Root()));
      }
    }
  }
  return sources;
}

TEST(Floors, EveryIncludeIsAnAllowedEdge) {
  const std::vector<fs::path> sources = Sources();
  ASSERT_GT(sources.size(), 20U) << "nothing to look at below " << Root();
  for (const fs::path& source : sources) {
    const std::string module = ModuleOf(source);
    const auto allowed = kAllowed.find(module);
    if (allowed == kAllowed.end()) {
      ADD_FAILURE() << source.generic_string() << ": module " << module << " is not in the table";
      continue;
    }
    for (const Include& include : IncludesOf(Root() / source, source.generic_string())) {
      const std::string top = include.target.substr(0, include.target.find('/'));
      static const std::set<std::string> kOurs = {"common", "scheduler", "dfdaemon",
                                                  "dfget",  "manager",   "proto"};
      if (!include.quoted || !kOurs.contains(top) || include.target.find('/') == std::string::npos)
        continue;
      const std::string target = ModuleOf(include.target);
      if (target == module || Allows(allowed->second, target)) continue;
      // A module's test equipment may use that of others.
      if (source.generic_string().find("/testing/") != std::string::npos &&
          include.target.find("/testing/") != std::string::npos) {
        continue;
      }
      ADD_FAILURE() << include.file << ":" << include.line << ": " << module << " may not include "
                    << target;
    }
  }
}

TEST(Floors, DearHeadersStayInTheirWrappers) {
  for (const fs::path& source : Sources()) {
    if (source.extension() != ".h") continue;
    const std::string module = ModuleOf(source);
    for (const Include& include : IncludesOf(Root() / source, source.generic_string())) {
      for (const auto& [prefix, wrappers] : kDearHeaders) {
        if (include.target.rfind(prefix, 0) == 0 && !wrappers.contains(module)) {
          ADD_FAILURE() << include.file << ":" << include.line << ": <" << include.target
                        << "> belongs into sources, not headers";
        }
      }
    }
  }
}

TEST(Floors, EveryModuleHasAReadme) {
  for (const auto& [module, allowed] : kAllowed) {
    if (module.find('/') == std::string::npos || !fs::exists(Root() / module)) continue;
    EXPECT_TRUE(fs::exists(Root() / module / "README.md")) << module << "/README.md is missing";
  }
}

}  // namespace
