#include "tests/sim/scenario.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/schema.h"
#include "common/status/reason.h"

namespace dragonfly::sim {
namespace {

using common::config::Schema;
using common::config::Value;
using common::status::Invalid;

constexpr uint32_t kMostPeers = 1'000'000;
constexpr double kMost = 1e9;

struct RateUnit {
  std::string_view name;
  double bytes_per_second;
};
constexpr std::array<RateUnit, 8> kRateUnits = {{{"Gbit/s", 125e6},
                                                 {"Mbit/s", 125e3},
                                                 {"kbit/s", 125},
                                                 {"GB/s", 1e9},
                                                 {"MB/s", 1e6},
                                                 {"kB/s", 1e3},
                                                 {"GiB/s", 1024.0 * 1024 * 1024},
                                                 {"MiB/s", 1024.0 * 1024}}};

void AddRate(Schema& schema, const std::string& key, double* member, std::string doc) {
  schema.Custom(
      key, "rate",
      [member](const Value& value) {
        absl::StatusOr<double> rate = ParseRate(value.scalar);
        if (rate.ok()) *member = *rate;
        return rate.status();
      },
      [member] { return absl::StrCat(*member * 8 / 1e6, "Mbit/s"); }, std::move(doc));
}

absl::StatusOr<uint64_t> ParseBytes(const Value& value) {
  uint64_t bytes = 0;
  Schema one(Schema::Options{.strict = true, .ignore_case = false});
  one.Size("size", &bytes, "");
  const absl::StatusOr<Schema::Warnings> read = one.Load("size: " + value.scalar + "\n", "sizes");
  if (!read.ok()) return read.status();
  if (bytes == 0) return Invalid("sizes: 0; a content has at least one byte");
  return bytes;
}

void AddSizes(Schema& schema, const std::string& key, std::vector<uint64_t>* member,
              std::string doc) {
  schema.Custom(
      key, "list of sizes",
      [member](const Value& value) -> absl::Status {
        std::vector<uint64_t> sizes;
        const bool is_list = value.kind == Value::Kind::kList;
        const size_t count = is_list ? value.list.size() : 1;
        for (size_t i = 0; i < count; ++i) {
          absl::StatusOr<uint64_t> bytes = ParseBytes(is_list ? value.list[i] : value);
          if (!bytes.ok()) return bytes.status();
          sizes.push_back(*bytes);
        }
        if (sizes.empty()) return Invalid("sizes: empty; give at least one, such as [64MiB]");
        *member = std::move(sizes);
        return absl::OkStatus();
      },
      [member] { return absl::StrCat(member->size(), " of ", member->front()); }, std::move(doc));
}

void AddContent(Schema& schema, Scenario& s) {
  schema.Text("name", &s.name, "of the scenario, in reports");
  schema.Text("about", &s.about, "what it shows, a sentence");
  schema.Number<uint32_t>("peers", &s.peers, 1, kMostPeers, "hosts that want the content");
  schema.Number<uint32_t>("seeds", &s.seeds, 0, 1000, "seed peers");
  AddSizes(schema, "sizes", &s.sizes, "bytes of each task");
  schema.Size("pieceLength", &s.piece_length, "0: as the nodes compute it from the size");
  schema.Number<uint32_t>("parallel", &s.parallel, 0, 1000,
                          "tasks that a host has at once, in turn; 0: all");
  schema.Duration("arrive.jitter", &s.arrive_jitter, absl::ZeroDuration(),
                  "what \"at once\" is spread over");
  schema.Real("arrive.over", &s.arrive_over, 0, kMost, "in F: peers come evenly over this");
  schema.Real("arrive.trickleShare", &s.trickle_share, 0, 1, "of peers that come late");
  schema.Real("arrive.trickleOver", &s.trickle_over, 0, kMost, "in F: these come over this");
}

void AddLinks(Schema& schema, Scenario& s) {
  AddRate(schema, "link.up", &s.up, "uplink of a peer");
  AddRate(schema, "link.down", &s.down, "downlink of a peer");
  schema.Real("link.spread", &s.spread, 1, 1000, "both log-uniform within this factor");
  schema.Real("link.upSpread", &s.up_spread, 1, 1000, "the uplink alone");
  schema.Real("link.upRatio", &s.up_ratio, 0.001, 1000, "uplink divided by downlink, on top");
  schema.Real("link.slowShare", &s.slow_share, 0, 1, "of peers with a slow uplink");
  schema.Real("link.slowFactor", &s.slow_factor, 0.0001, 1, "what they have of it");
  schema.Flag("link.announceNominal", &s.announce_nominal, "all announce link.up");
  schema.Real("link.wrongShare", &s.wrong_share, 0, 1, "announce ten times too much or too little");
  AddRate(schema, "seed.up", &s.seed_up, "of a seed peer; 0: link.up");
  AddRate(schema, "seed.down", &s.seed_down, "of a seed peer; 0: link.down");
  schema.Duration("seed.firstByte", &s.seed_first_byte, absl::ZeroDuration(),
                  "the origin answers a seed's first request after this");
  AddRate(schema, "origin.up", &s.origin_up, "of the origin, all readers together; 0: link.up");
  schema.Duration("origin.latency", &s.origin_latency, absl::ZeroDuration(), "one way");
}

void AddNetwork(Schema& schema, Scenario& s) {
  schema.Number<uint32_t>("network.idcs", &s.idcs, 1, 1000, "data centres");
  schema.Number<uint32_t>("network.racks", &s.racks, 1, 10'000, "racks in each");
  schema.Duration("network.rackLatency", &s.rack_latency, absl::ZeroDuration(), "within a rack");
  schema.Duration("network.idcLatency", &s.idc_latency, absl::ZeroDuration(), "within an IDC");
  schema.Duration("network.crossLatency", &s.cross_latency, absl::ZeroDuration(), "between IDCs");
  AddRate(schema, "network.idcRate", &s.idc_rate, "of an IDC, each way; 0: no limit");
  schema.Real("network.loss", &s.loss, 0, 0.5, "share of packets, within an IDC");
  schema.Real("network.crossLoss", &s.cross_loss, 0, 0.5, "between IDCs");
  schema.Duration("network.messageJitter", &s.message_jitter, absl::ZeroDuration(),
                  "control messages take up to this longer; streams keep their order");
  schema.Number<uint32_t>("network.window", &s.window, 1, 1024,
                          "blocks of a request between peers that are not acknowledged");
  schema.Number<uint32_t>("network.progressBlocks", &s.progress_blocks, 1, 1024,
                          "a core is told of progress after so many blocks of a request");
  schema.Duration("network.offerInterval", &s.offer_interval, absl::ZeroDuration(),
                  "between two messages of a SyncPieces stream");
  schema.Duration("network.keepalive", &s.keepalive, absl::ZeroDuration(),
                  "our parents say something at least this often; 0: they do not");
  schema.Duration("scheduler.latency", &s.scheduler_latency, absl::ZeroDuration(), "one way");
  schema.Duration("scheduler.service", &s.scheduler_service, absl::ZeroDuration(),
                  "time that it takes for an event");
  schema.Real("scheduler.restartAt", &s.scheduler_restart_at, 0, kMost, "in F; 0: never");
  schema.Duration("scheduler.down", &s.scheduler_down, absl::ZeroDuration(), "then, for so long");
  schema.Duration("scheduler.reannounceWithin", &s.reannounce_within, absl::ZeroDuration(),
                  "hosts announce themselves within this once it is back");
  schema.Duration("scheduler.seedNotice", &s.seed_notice, absl::ZeroDuration(),
                  "until it knows that a seed peer has gone");
  schema.Real("upstreamShare", &s.upstream_share, 0, 1, "of peers that are not ours");
}

void AddFaults(Schema& schema, Scenario& s) {
  schema.Real("faults.from", &s.fault_from, 0, kMost, "in F: faults begin");
  schema.Real("faults.to", &s.fault_to, 0, kMost, "in F: faults end");
  schema.Real("faults.crashShare", &s.crash_share, 0, 1, "of peers that crash");
  schema.Duration("faults.crashBack", &s.crash_back, absl::ZeroDuration(),
                  "they are started again after this; 0: never");
  schema.Real("faults.hangShare", &s.hang_share, 0, 1, "of peers that stop, connections open");
  schema.Real("faults.breakShare", &s.break_share, 0, 1,
              "of peers whose streams break once: to the scheduler and to parents");
  schema.Real("faults.jumpShare", &s.jump_share, 0, 1, "of peers whose clock jumps forward");
  schema.Duration("faults.jump", &s.jump, absl::ZeroDuration(), "by so much");
  schema.Real("faults.corruptShare", &s.corrupt_share, 0, 1,
              "of peers that corrupt what they send");
  schema.Real("faults.corruptRate", &s.corrupt_rate, 0, 1, "of their pieces");
  schema.Real("faults.changeShare", &s.change_share, 0, 1, "of peers whose uplink changes");
  schema.Real("faults.changeFactor", &s.change_factor, 0.0001, 1000, "times what it was");
  schema.Real("faults.changeAt", &s.change_at, 0, kMost, "in F");
  schema.Number<uint32_t>("faults.slowInterior", &s.slow_interior, 0, kMostPeers,
                          "the hosts with most children get slow at changeAt");
  schema.Real("faults.slowInteriorFactor", &s.slow_interior_factor, 0.0001, 1, "of their uplink");
  schema.Real("faults.seedsDieAt", &s.seeds_die_at, -1, kMost, "in F; negative: never");
  schema.Flag("faults.seedsHang", &s.seeds_hang, "instead of dying");
  schema.Real("limit.floors", &s.limit_floors, 1, kMost,
              "in F: a run that takes longer has failed");
  schema.Duration("limit.extra", &s.limit_extra, absl::ZeroDuration(), "on top");
}

void AddExpectation(Schema& schema, Expectation& e) {
  schema.Real("expect.mean", &e.mean, 0, kMost, "of our rules with --check: at most; 0: any");
  schema.Real("expect.p99", &e.p99, 0, kMost, "the same");
  schema.Real("expect.max", &e.max, 0, kMost, "the same");
  schema.Real("expect.afterP50", &e.after_p50, 0, kMost, "the same, from the seed's first byte");
  schema.Real("expect.afterP99", &e.after_p99, 0, kMost, "the same, from the seed's first byte");
  schema.Real("expect.origin", &e.origin_copies, 0, kMost, "the same, copies read of the origin");
}

// The table, bound to `s`; what is bound under "ci." goes to `ci`.
void AddKeys(Schema& schema, Scenario& s, Scenario& ci, std::vector<std::string>& ci_keys) {
  AddContent(schema, s);
  AddLinks(schema, s);
  AddNetwork(schema, s);
  AddFaults(schema, s);
  AddExpectation(schema, s.expect);
  // What a small run changes.
  schema.Custom(
      "ci.peers", "number",
      [&](const Value& value) -> absl::Status {
        if (!absl::SimpleAtoi(value.scalar, &ci.peers) || ci.peers == 0)
          return Invalid("ci.peers: \"" + value.scalar + "\"; give a number from 1");
        ci_keys.push_back("peers");
        return absl::OkStatus();
      },
      [] { return std::string(); }, "peers in a small run");
  schema.Custom(
      "ci.sizes", "list of sizes",
      [&](const Value& value) -> absl::Status {
        Schema one;
        AddSizes(one, "sizes", &ci.sizes, "");
        std::string text = "sizes: [";
        if (value.kind == Value::Kind::kList) {
          for (const Value& each : value.list) absl::StrAppend(&text, each.scalar, ", ");
        } else {
          text += value.scalar;
        }
        const absl::StatusOr<Schema::Warnings> read = one.Load(text + "]\n", "ci.sizes");
        ci_keys.push_back("sizes");
        return read.status();
      },
      [] { return std::string(); }, "sizes in a small run");
}

absl::Status CheckScenario(const Scenario& s) {
  if (s.fault_to < s.fault_from)
    return Invalid(
        absl::StrCat("faults.to: ", s.fault_to, " is before faults.from ", s.fault_from));
  if (s.seeds == 0 && s.seeds_die_at >= 0)
    return Invalid("faults.seedsDieAt: there is no seed; set seeds");
  constexpr uint64_t kBlock = 256 * 1024;
  constexpr uint64_t kLongest = 64ULL << 20;
  if (s.piece_length % kBlock != 0 || s.piece_length > kLongest)
    return Invalid(absl::StrCat("pieceLength: ", s.piece_length,
                                "; give a multiple of 256KiB up to 64MiB, or 0"));
  return absl::OkStatus();
}

// "a.b=c" as YAML.
absl::StatusOr<std::string> AsYaml(const std::string& setting) {
  const size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0)
    return Invalid("--set " + setting + ": not key=value, such as peers=1000");
  std::string out;
  std::string indent;
  std::string key = setting.substr(0, equals);
  for (size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.')) {
    out += indent + key.substr(0, dot) + ":\n";
    indent += "  ";
    key = key.substr(dot + 1);
  }
  return out + indent + key + ": " + setting.substr(equals + 1) + "\n";
}

}  // namespace

uint64_t Scenario::total_bytes() const {
  uint64_t total = 0;
  for (uint64_t size : sizes) total += size;
  return total;
}

double Scenario::nominal_floor_seconds() const {
  return static_cast<double>(total_bytes()) / std::min(up, down);
}

absl::StatusOr<double> ParseRate(std::string_view text) {
  if (text == "0") return 0.0;
  for (const RateUnit& unit : kRateUnits) {
    if (text.size() <= unit.name.size() ||
        text.substr(text.size() - unit.name.size()) != unit.name) {
      continue;
    }
    const std::string number(text.substr(0, text.size() - unit.name.size()));
    double value = 0;
    if (absl::SimpleAtod(absl::StripAsciiWhitespace(number), &value) && value > 0 && value < 1e6)
      return value * unit.bytes_per_second;
  }
  return Invalid("\"" + std::string(text) + "\" is no rate; write 1Gbit/s, 100Mbit/s or 300MB/s");
}

absl::StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view name,
                                       ScenarioSize size,
                                       const std::vector<std::string>& settings) {
  Scenario scenario;
  Scenario ci;
  std::vector<std::string> ci_keys;
  Schema schema(Schema::Options{.strict = true, .ignore_case = false});
  AddKeys(schema, scenario, ci, ci_keys);
  absl::StatusOr<Schema::Warnings> loaded = schema.Load(text, name);
  if (!loaded.ok()) return loaded.status();
  if (size == ScenarioSize::kCi) {
    for (const std::string& key : ci_keys) {
      if (key == "peers") scenario.peers = ci.peers;
      if (key == "sizes") scenario.sizes = ci.sizes;
    }
  }
  for (const std::string& setting : settings) {
    const absl::StatusOr<std::string> yaml = AsYaml(setting);
    if (!yaml.ok()) return yaml.status();
    loaded = schema.Load(*yaml, "--set " + setting);
    if (!loaded.ok()) return loaded.status();
  }
  if (scenario.seed_up == 0) scenario.seed_up = scenario.up;
  if (scenario.seed_down == 0) scenario.seed_down = scenario.down;
  if (scenario.origin_up == 0) scenario.origin_up = scenario.up;
  absl::Status checked = CheckScenario(scenario);
  if (!checked.ok()) return common::status::Annotate(checked, name);
  return scenario;
}

absl::StatusOr<Scenario> LoadScenario(const std::string& path, ScenarioSize size,
                                      const std::vector<std::string>& settings) {
  std::ifstream in(path);
  if (!in) {
    return common::status::MakeStatus(
        absl::StatusCode::kNotFound, common::status::ErrorReason::kNotFound,
        path + ": cannot be read; scenarios are in tests/sim/scenarios");
  }
  std::ostringstream text;
  text << in.rdbuf();
  absl::StatusOr<Scenario> scenario = ParseScenario(text.str(), path, size, settings);
  if (scenario.ok() && scenario->name.empty()) {
    const size_t slash = path.rfind('/');
    const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
    scenario->name = file.substr(0, file.rfind('.'));
  }
  return scenario;
}

std::string ScenarioKeys() {
  Scenario scenario;
  Scenario ci;
  std::vector<std::string> ci_keys;
  Schema schema;
  AddKeys(schema, scenario, ci, ci_keys);
  return schema.PrintMarkdown();
}

}  // namespace dragonfly::sim
