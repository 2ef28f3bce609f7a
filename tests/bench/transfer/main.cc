// transfer_bench: how much our piece transfer costs, against the least that two kernels need for
// the same bytes. README.md says what is measured.

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/crypto/testing/test_authority.h"
#include "tests/bench/transfer/process.h"
#include "tests/bench/transfer/report.h"
#include "tests/bench/transfer/roles.h"

namespace dragonfly::bench {
namespace {

struct Options {
  RoleOptions role;
  std::string size = "ci";
  std::string json;
  std::string dir = std::filesystem::temp_directory_path();
  int rounds = 7;
  bool enforce = false;
  std::string only;
};

// A competitor in flight: two processes that live through all rounds.
class Competitor {
 public:
  Competitor(const Options& options, const std::string& dir, std::string name, bool baseline,
             std::string run, const std::string& engine, const std::string& transport,
             const std::string& tls)
      : run_(std::move(run)) {
    series_.name = std::move(name);
    series_.baseline = baseline;
    const std::string kind = baseline ? "raw" : "piece";
    parent_ = Start(options, dir, kind + "-parent", engine, transport, tls);
    child_ = Start(options, dir, kind + "-child", engine, transport, tls);
  }

  void RunOnce(bool timed) {
    const Usage parent_before = parent_->AskUsage();
    const Usage child_before = child_->AskUsage();
    const std::string took = child_->Call("run " + parent_->greeting() + " " + run_);
    const Usage parent_after = parent_->AskUsage();
    const Usage child_after = child_->AskUsage();
    Grow(series_.parent, parent_after);
    Grow(series_.child, child_after);
    if (!timed) return;
    Sample sample;
    sample.seconds = std::stod(took);
    sample.parent_cpu_seconds = parent_after.cpu_seconds - parent_before.cpu_seconds;
    sample.child_cpu_seconds = child_after.cpu_seconds - child_before.cpu_seconds;
    series_.samples.push_back(sample);
  }
  const Series& series() const { return series_; }

 private:
  static std::unique_ptr<Worker> Start(const Options& options, const std::string& dir,
                                       const std::string& role, const std::string& engine,
                                       const std::string& transport, const std::string& tls) {
    static int number = 0;
    const std::string own = dir + "/" + std::to_string(number++) + "-" + role;
    std::filesystem::create_directory(own);
    const std::vector<std::string> arguments = {
        "--dir",         own,
        "--bytes",       std::to_string(options.role.content_bytes),
        "--piece-bytes", std::to_string(options.role.piece_bytes),
        "--connections", std::to_string(options.role.connections),
        "--cores",       std::to_string(options.role.cores),
        "--seed",        std::to_string(options.role.seed),
        "--engine",      engine,
        "--transport",   transport,
        "--tls",         tls};
    return std::make_unique<Worker>(role, arguments);
  }
  static void Grow(Usage& largest, const Usage& now) {
    largest.rss_anon_kib = std::max(largest.rss_anon_kib, now.rss_anon_kib);
    largest.vm_hwm_kib = std::max(largest.vm_hwm_kib, now.vm_hwm_kib);
  }

  const std::string run_;
  Series series_;
  std::unique_ptr<Worker> parent_;
  std::unique_ptr<Worker> child_;
};

int RunRole(const RoleOptions& role) {
  if (role.role == "piece-parent") RunPieceParent(role);
  if (role.role == "piece-child") RunPieceChild(role);
  if (role.role == "raw-parent") RunRawParent(role);
  if (role.role == "raw-child") RunRawChild(role);
  return 0;
}

constexpr const char* kVortex = "vortex keepalive";
constexpr const char* kGrpc = "grpc";

std::vector<Series> Measure(const Options& options, const std::string& dir) {
  std::vector<std::unique_ptr<Competitor>> competitors;
  const auto add = [&](std::string name, bool baseline, std::string run,
                       const std::string& engine = "read", const std::string& transport = "vortex",
                       const std::string& tls = "") {
    if (name.find(options.only) == std::string::npos) return;
    competitors.push_back(std::make_unique<Competitor>(options, dir, std::move(name), baseline,
                                                       std::move(run), engine, transport, tls));
  };
  for (const char* kib : {"128", "256", "1024"}) {
    const std::string bytes = std::to_string(std::stoul(kib) * 1024);
    add(std::string("raw read ") + kib + " KiB", true, "read " + bytes);
    add(std::string("raw sendfile ") + kib + " KiB", true, "sendfile " + bytes);
  }
  add(kVortex, false, "1");
  add("vortex upstream", false, "0");
  add("vortex keepalive sendfile", false, "1", "sendfile");
  add(kGrpc, false, "0", "read", "grpc");
  // Without a bar: sockets that do not encrypt are no measure of it.
  const std::string certificates = dir + "/tls";
  std::filesystem::create_directory(certificates);
  using common::crypto::testing::TestAuthority;
  TestAuthority().Write(certificates, TestAuthority::Leaf());
  add("vortex keepalive tls", false, "1", "read", "vortex", certificates);
  add("grpc mtls", false, "0", "read", "grpc", certificates);
  std::mt19937_64 random(options.role.seed);
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<Competitor*> order;
    for (const auto& competitor : competitors) order.push_back(competitor.get());
    std::shuffle(order.begin(), order.end(), random);
    for (Competitor* competitor : order) {
      competitor->RunOnce(false);  // the pages that the timed run takes have been used before
      competitor->RunOnce(true);
    }
    std::fprintf(stderr, "round %d of %d\n", round + 1, options.rounds);
  }
  std::vector<Series> series;
  for (const auto& competitor : competitors) series.push_back(competitor->series());
  return series;
}

int Main(int argc, char** argv) {
  Options options;
  options.role.connections = 4;
  CLI::App app("Measures piece transfer between two of our processes against raw sockets.");
  app.add_option("--size", options.size, "ci: 256 MiB, full: 1 GiB")
      ->check(CLI::IsMember({"ci", "full"}));
  app.add_option("--seed", options.role.seed, "of content and order");
  app.add_option("--json", options.json, "where to write the result");
  app.add_option("--rounds", options.rounds, "timed runs of each competitor")
      ->check(CLI::Range(1, 1000));
  app.add_option("--connections", options.role.connections)->check(CLI::Range(1, 256));
  app.add_option("--cores", options.role.cores, "threads of each of our processes")
      ->check(CLI::Range(1, 256));
  app.add_option("--dir", options.dir, "where the files go; needs 14 times the size");
  app.add_option("--only", options.only, "competitors whose name contains this; no verdict");
  app.add_flag("--enforce", options.enforce, "exit with 1 when the bar is missed");
  app.add_option("--role", options.role.role)->group("");
  app.add_option("--bytes", options.role.content_bytes)->group("");
  app.add_option("--piece-bytes", options.role.piece_bytes)->group("");
  app.add_option("--engine", options.role.engine)->group("");
  app.add_option("--transport", options.role.transport)->group("");
  app.add_option("--tls", options.role.tls)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!options.role.role.empty()) {
    options.role.dir = options.dir;
    return RunRole(options.role);
  }
  options.role.content_bytes = (options.size == "full" ? uint64_t{1024} : uint64_t{256}) << 20;
  options.role.piece_bytes = uint64_t{4} << 20;
  std::string dir = options.dir + "/transfer_bench_XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("cannot create " + dir);
  const std::vector<Series> series = Measure(options, dir);
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  const std::vector<Verdict> verdicts = {
      Judge(series, options.role.content_bytes, kVortex, Bar{1.5, 96 * 1024}),
      // Protobuf's framing and HTTP/2 around every piece.
      Judge(series, options.role.content_bytes, kGrpc, Bar{1.6, 96 * 1024})};
  Print(series, options.role.content_bytes, verdicts);
  std::string command;
  for (int i = 0; i < argc; ++i) command += std::string(i == 0 ? "" : " ") + argv[i];
  if (!options.json.empty()) {
    WriteJson(options.json, command, options.role.seed, series, options.role.content_bytes,
              verdicts);
  }
  const bool passed =
      std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& one) { return one.passed; });
  return options.enforce && !passed ? 1 : 0;
}

}  // namespace
}  // namespace dragonfly::bench

int main(int argc, char** argv) { return dragonfly::bench::Main(argc, argv); }
