#include "dfget/cli/program.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/log/redact.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfget/cli/download_call.h"
#include "dfget/cli/download_trace.h"
#include "dfget/cli/error_block.h"
#include "dfget/cli/exit_code.h"
#include "dfget/cli/flags.h"
#include "dfget/cli/header_flag.h"
#include "dfget/cli/output_path.h"
#include "dfget/cli/piece_sink.h"
#include "dfget/cli/progress_line.h"
#include "dfget/cli/signal_watch.h"

namespace dragonfly::dfget::cli {
namespace {

namespace log = common::log;
using nlohmann::json;

constexpr absl::Duration kTick = absl::Milliseconds(200);
// For taking away the temporary file after a signal.
constexpr absl::Duration kGrace = absl::Seconds(3);

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Bytes by the peer that gave them; what peers beyond the limit gave is counted as "other".
using BytesOfParents = std::map<std::string, uint64_t, std::less<>>;
constexpr size_t kMaxParents = 1000;

json ResultOf(const Options& options, const std::string& output, const DownloadCall& call,
              const ProgressLine& progress, const BytesOfParents& parents) {
  const Traffic traffic = progress.traffic();
  return json{{"task_id", call.task_id()},
              {"url", log::RedactUrl(options.url)},
              {"output", output},
              {"bytes", traffic.bytes},
              {"from_peers", traffic.from_peers},
              {"from_origin", traffic.from_origin},
              {"from_disk", traffic.from_disk},
              {"parents", parents},
              {"seconds", absl::ToDoubleSeconds(progress.elapsed())}};
}

json ErrorOf(const absl::Status& status, int exit_code) {
  json error{{"exit_code", exit_code},
             {"reason", common::status::ReasonName(common::status::ReasonOf(status))},
             {"message", log::RedactText(common::status::MessageOf(status))}};
  const std::optional<common::status::OriginError> origin = common::status::OriginOf(status);
  if (origin.has_value() && origin->http_status != 0) error["http_status"] = origin->http_status;
  return error;
}

// Hands what the daemon reports to the counters and, if the content comes along, to its sink.
class Recorder final : public DownloadEvents {
 public:
  Recorder(ProgressLine& progress, PieceSink* sink, BytesOfParents& parents)
      : progress_(progress), sink_(sink), parents_(parents) {}

  absl::Status OnStarted(std::optional<uint64_t> content_length) override {
    progress_.SetTotal(content_length);
    log::Info("download started", log::kv("bytes", content_length.value_or(0)),
              log::kv("length_known", content_length.has_value()));
    return sink_ == nullptr ? absl::OkStatus() : sink_->Begin(content_length);
  }

  absl::Status OnPiece(const PieceReport& piece) override {
    if (sink_ != nullptr) {
      absl::Status written = sink_->Write(piece.offset, piece.content);
      if (!written.ok()) return written;
    }
    progress_.Add(piece.length, piece.from);
    if (!piece.parent.empty()) {
      const bool room = parents_.size() < kMaxParents || parents_.contains(piece.parent);
      parents_[std::string(room ? piece.parent : "other")] += piece.length;
    }
    log::Debug("piece", log::kv("offset", piece.offset), log::kv("bytes", piece.length));
    return absl::OkStatus();
  }

 private:
  ProgressLine& progress_;
  PieceSink* sink_;  // null: the daemon writes the file
  BytesOfParents& parents_;
};

absl::StatusOr<std::unique_ptr<PieceSink>> OpenSink(const Options& options,
                                                    const std::string& path) {
  if (!options.needs_content()) return std::unique_ptr<PieceSink>();
  if (!options.to_stdout()) return OpenFileSink(common::os::PosixEnv(), path, options.overwrite);
  const char* spool = std::getenv("TMPDIR");
  return MakeOrderedSink(STDOUT_FILENO, spool != nullptr && *spool != '\0' ? spool : "/tmp");
}

absl::Status Download(const Options& options, const std::string& path, DownloadCall& call,
                      ProgressLine& progress, BytesOfParents& parents) {
  absl::StatusOr<std::unique_ptr<PieceSink>> sink = OpenSink(options, path);
  if (!sink.ok()) return sink.status();
  Recorder recorder(progress, sink->get(), parents);
  absl::Status status = call.Run(recorder);
  if (status.ok() && *sink != nullptr) status = (*sink)->Commit();
  return status;
}

absl::StatusOr<std::string> ResolveOutput(const Options& options) {
  if (options.to_stdout()) return options.output;
  std::error_code error;
  const std::string here = std::filesystem::current_path(error);
  if (error && !options.output.starts_with('/')) {
    return common::status::MakeStatus(
        absl::StatusCode::kNotFound, common::status::ErrorReason::kOutputPath,
        common::status::StdView(absl::StrCat("validate failed: output path ", options.output,
                                             " is relative and the working directory is gone (",
                                             error.message(), "); give an absolute path")));
  }
  std::string path = AbsolutePath(options.output, here);
  absl::Status checked = CheckOutputPath(path, options.overwrite);
  if (!checked.ok()) return checked;
  return path;
}

int Fail(const Options& options, std::string_view headline, const absl::Status& status,
         json result) {
  const int exit_code = static_cast<int>(ExitCodeOf(status));
  std::cerr << ErrorBlock(headline, status, WantsColour(STDERR_FILENO));
  if (options.json) {
    result["error"] = ErrorOf(status, exit_code);
    std::cout << Dump(result) << std::endl;
  }
  return exit_code;
}

int Interrupted(const Options& options, int signal, json result) {
  const int exit_code = ExitCodeOfSignal(signal);
  std::cerr << (options.to_stdout() ? "dfget: interrupted; stdout has a part of the content\n"
                                    : "dfget: interrupted; the output was not written\n");
  if (options.json) {
    result["error"] = ErrorOf(absl::CancelledError("interrupted"), exit_code);
    std::cout << Dump(result) << std::endl;
  }
  return exit_code;
}

int Perform(const Options& options, common::trace::Span& span) {
  const absl::StatusOr<std::string> path = ResolveOutput(options);
  if (!path.ok()) {
    span.SetStatus(path.status());
    return Fail(options, "Validating Failed!", path.status(), json::object());
  }
  const bool shows = !options.no_progress && ::isatty(STDERR_FILENO) == 1;
  ProgressLine progress(shows ? STDERR_FILENO : -1);
  DownloadCall call(options, options.needs_content() ? std::string() : RealOutputPath(*path));
  BytesOfParents parents;
  absl::Status status;
  int signal = 0;
  {
    SignalWatch watch(
        {.on_signal = [&call] { call.Cancel(); }, .on_tick = [&progress] { progress.Draw(); }},
        kTick, kGrace);
    status = Download(options, *path, call, progress, parents);
    signal = watch.caught();
  }
  progress.Finish();
  span.SetText(common::trace::keys::kTaskId, call.task_id());
  span.SetNumber(common::trace::keys::kContentLength,
                 static_cast<int64_t>(progress.traffic().bytes));
  span.SetStatus(status);
  span.End();
  json result = ResultOf(options, *path, call, progress, parents);
  if (status.ok()) {
    if (options.json) std::cout << Dump(result) << std::endl;
    return static_cast<int>(ExitCode::kOk);
  }
  if (signal != 0) return Interrupted(options, signal, std::move(result));
  const bool unreachable =
      common::status::ReasonOf(status) == common::status::ErrorReason::kDaemonUnreachable;
  return Fail(options, unreachable ? "Connect Dfdaemon Failed!" : "Downloading Failed!", status,
              std::move(result));
}

int Run(Options options) {
  DownloadTrace trace(options);
  options.trace = trace.span().context();
  const int exit_code = Perform(options, trace.span());
  trace.Finish();
  return exit_code;
}

// stdout may be the file: its text goes to stderr, where the log is before it is opened.
void OpenLog(const Options& options) {
  log::SetLevel(options.console ? options.log_level : log::Level::kOff);
}

}  // namespace

int Main(int argc, char** argv) {
  BlockSignals();
  const CommandLine line = ParseCommandLine(argc, argv);
  const std::vector<std::string> exposed = HideSecrets(argc, argv);
  if (!line.options.has_value()) {
    (line.exit_code == 0 ? std::cout : std::cerr) << line.text;
    return line.exit_code;
  }
  OpenLog(*line.options);
  for (const std::string& name : exposed) {
    std::cerr << "dfget: warning: the value of header " << Printable(name)
              << " was in the list of processes for a moment; keep it in a file and use --header"
                 " @FILE\n";
  }
  return Run(*line.options);
}

}  // namespace dragonfly::dfget::cli
