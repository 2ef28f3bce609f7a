#include "dfget/cli/flags.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/digest/digest.h"
#include "common/id/piece.h"
#include "common/id/task_id.h"
#include "common/id/url.h"
#include "common/log/redact.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "common/version/version.h"
#include "dfget/cli/exit_code.h"
#include "dfget/cli/header_flag.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::Invalid;
using common::status::StdView;
using common::status::Sv;

// Values as text, so that our own parsers judge them, and say what they want.
struct RawFlags {
  Options options;
  std::string url;
  std::string endpoint = kDefaultEndpoint;
  std::string timeout = "2h";
  std::string priority = "6";
  std::string piece_length;
  std::string log_level = "info";
  std::string content_for_task_id;
  std::vector<std::string> headers;
  std::vector<std::string> filtered_query_params;
};

// Flags of upstream's dfget that this version does not know how to serve.
struct UnsupportedFlag {
  const char* name;
  bool takes_value;
};
constexpr std::array kUnsupported = {
    UnsupportedFlag{"-r,--recursive", false},
    UnsupportedFlag{"-I,--include-files", true},
    UnsupportedFlag{"--storage-region", true},
    UnsupportedFlag{"--storage-endpoint", true},
    UnsupportedFlag{"--storage-access-key-id", true},
    UnsupportedFlag{"--storage-access-key-secret", true},
    UnsupportedFlag{"--storage-access-key-secret-file", true},
    UnsupportedFlag{"--storage-security-token", true},
    UnsupportedFlag{"--storage-session-token", true},
    UnsupportedFlag{"--storage-credential-path", true},
    UnsupportedFlag{"--storage-insecure-skip-verify", true},
    UnsupportedFlag{"--storage-predefined-acl", true},
    UnsupportedFlag{"--hdfs-delegation-token", true},
    UnsupportedFlag{"--hf-revision", true},
    UnsupportedFlag{"--hf-token", true},
    UnsupportedFlag{"--hf-base-url", true},
    UnsupportedFlag{"--ms-revision", true},
    UnsupportedFlag{"--ms-token", true},
    UnsupportedFlag{"--ms-base-url", true},
    UnsupportedFlag{"--csg-revision", true},
    UnsupportedFlag{"--csg-token", true},
    UnsupportedFlag{"--csg-base-url", true},
    UnsupportedFlag{"--max-files", true},
    UnsupportedFlag{"--max-concurrent-requests", true},
};

void DefineFlags(CLI::App& app, RawFlags& raw) {
  Options& options = raw.options;
  // Both are required; said after everything that is wrong with the others.
  app.add_option("URL", raw.url, "What to download; http or https");
  app.add_option("-O,--output", options.output, "File to write; '-' is stdout");
  app.add_flag("--transfer-from-dfdaemon", options.transfer_from_dfdaemon,
               "Get the bytes over the socket and write the file here, instead of letting the"
               " daemon place it")
      ->envname("DFGET_TRANSFER_FROM_DFDAEMON");
  app.add_flag("--overwrite", options.overwrite, "Replace an existing file")
      ->envname("DFGET_OVERWRITE");
  app.add_flag("--force-hard-link", options.force_hard_link,
               "Fail where the daemon cannot hard-link the file, instead of copying")
      ->envname("DFGET_FORCE_HARD_LINK");
  app.add_option("--content-for-calculating-task-id", raw.content_for_task_id,
                 "Make the task id of this text alone")
      ->envname("DFGET_CONTENT_FOR_CALCULATING_TASK_ID");
  app.add_option("--timeout", raw.timeout, "Longest time the download may take")
      ->capture_default_str()
      ->envname("DFGET_TIMEOUT");
  app.add_option("--digest", options.digest, "What the file must hash to, as sha256:HEX");
  app.add_option("-p,--priority", raw.priority, "0 to 6; 6 is the highest")
      ->capture_default_str()
      ->envname("DFGET_PRIORITY");
  app.add_option("--piece-length", raw.piece_length, "4MiB to 64MiB; chosen by size when absent")
      ->envname("DFGET_PIECE_LENGTH");
  app.add_option("--application", options.application, "Who asks: for priorities, limits, metrics")
      ->envname("DFGET_APPLICATION");
  app.add_option("--tag", options.tag, "Tells tasks of one URL apart")->envname("DFGET_TAG");
  // One value for each flag: "-H 'a: b' URL" must leave the URL alone.
  app.add_option("-H,--header", raw.headers,
                 "Header for the origin, 'Name: value'; @FILE or @- reads lines of them, which"
                 " keeps secrets out of the list of processes")
      ->allow_extra_args(false);
  app.add_option("--filtered-query-param", raw.filtered_query_params,
                 "Query parameter that does not name content; replaces the built-in list")
      ->allow_extra_args(false);
  app.add_flag("--disable-back-to-source", options.disable_back_to_source,
               "Never ask the origin, peers only")
      ->envname("DFGET_DISABLE_BACK_TO_SOURCE");
  app.add_flag("--no-progress", options.no_progress, "Draw no progress")
      ->envname("DFGET_NO_PROGRESS");
  app.add_flag("--json", options.json, "Print the result as a line of JSON on stdout")
      ->envname("DFGET_JSON");
  app.add_option("--tracing-endpoint", options.tracing_endpoint,
                 "host:port that takes traces (OTLP over gRPC); TRACEPARENT of the environment is"
                 " passed on in any case")
      ->envname("DFGET_TRACING_ENDPOINT");
  app.add_option("-e,--endpoint", raw.endpoint, "Unix socket of the daemon")
      ->capture_default_str()
      ->envname("DFGET_ENDPOINT");
  app.add_option("-l,--log-level", raw.log_level, "debug, info, warn, error or off")
      ->capture_default_str()
      ->envname("DFGET_LOG_LEVEL");
  app.add_flag("--console", options.console, "Print the log, on stderr")->envname("DFGET_CONSOLE");
  app.set_help_flag("-h,--help", "Print this and exit");
  app.set_version_flag("-V,--version", common::version::Line("dfget"));
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 no daemon, 4 origin refused"
      " (4xx),\n5 origin failed, 6 output path or disk, 7 digest, 124 timeout, 128+n signal"
      " n.");
}

absl::Status CheckUrl(const std::string& text, Options& options) {
  const absl::StatusOr<common::id::Url> url = common::id::Url::Parse(text);
  if (!url.ok()) return common::status::Annotate(url.status(), "URL");
  if (url->scheme != "http" && url->scheme != "https") {
    return Invalid(absl::StrCat("URL: scheme '", url->scheme,
                                "' is not supported by this version; use http or https"));
  }
  options.url = text;
  return absl::OkStatus();
}

absl::Status CheckNumbers(const RawFlags& raw, Options& options) {
  const absl::StatusOr<absl::Duration> timeout = common::status::ParseDuration(raw.timeout);
  if (!timeout.ok() || *timeout <= absl::ZeroDuration() || *timeout > absl::Hours(24 * 365)) {
    return Invalid(
        absl::StrCat("--timeout: '", raw.timeout,
                     "' is not a time above 0 and up to a year, such as 30s, 10m or 2h"));
  }
  options.timeout = *timeout;
  const std::optional<int> priority = common::status::ParseInteger<int>(raw.priority);
  if (!priority.has_value() || *priority < 0 || *priority > 6) {
    return Invalid(absl::StrCat("--priority: '", raw.priority, "' is not a number from 0 to 6"));
  }
  options.priority = *priority;
  if (raw.piece_length.empty()) return absl::OkStatus();
  const absl::StatusOr<uint64_t> length = common::status::ParseByteSize(raw.piece_length);
  if (!length.ok()) {
    return Invalid(
        absl::StrCat("--piece-length: '", raw.piece_length, "' is not a size such as 4MiB"));
  }
  if (*length < common::id::kMinPieceLength) {
    return Invalid(absl::StrCat("validate failed: piece length ", *length,
                                " bytes is less than the minimum piece length ",
                                common::id::kMinPieceLength, " bytes; raise --piece-length"));
  }
  if (*length > common::id::kMaxPieceLength) {
    return Invalid(absl::StrCat("validate failed: piece length ", *length,
                                " bytes is more than the maximum piece length ",
                                common::id::kMaxPieceLength, " bytes; lower --piece-length"));
  }
  options.piece_length = *length;
  return absl::OkStatus();
}

absl::Status CheckEndpoint(std::string_view endpoint, Options& options) {
  for (const std::string_view prefix : {"unix://", "unix:"}) {
    if (!endpoint.starts_with(prefix)) continue;
    endpoint.remove_prefix(prefix.size());
    break;
  }
  if (endpoint.empty() || endpoint.find("://") != std::string_view::npos) {
    return Invalid(absl::StrCat("--endpoint: '", Sv(endpoint),
                                "' is not the path of a unix socket, such as ", kDefaultEndpoint));
  }
  options.endpoint = std::string(endpoint);
  return absl::OkStatus();
}

// One of them that is wrong is as good as none, by the rules of W3C.
common::trace::SpanContext TraceOfEnvironment() {
  const char* parent = std::getenv("TRACEPARENT");
  const char* state = std::getenv("TRACESTATE");
  if (parent == nullptr) return common::trace::SpanContext();
  return common::trace::SpanContext::Parse(parent, state == nullptr ? "" : state)
      .value_or(common::trace::SpanContext());
}

absl::Status CheckTracing(const Options& options) {
  const std::string& at = options.tracing_endpoint;
  const size_t colon = at.rfind(':');
  if (at.empty() || (colon != std::string::npos && colon != 0 && colon + 1 < at.size() &&
                     at.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
                     at.find('/') == std::string::npos)) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("--tracing-endpoint: '", at,
                              "' is not of the form host:port, such as localhost:4317"));
}

absl::Status CheckTogether(const Options& options) {
  if (options.force_hard_link && options.overwrite) {
    return Invalid("--force-hard-link and --overwrite exclude each other; leave one out");
  }
  if (options.force_hard_link && options.needs_content()) {
    return Invalid(
        "--force-hard-link needs the daemon to place the file; leave it out with"
        " --transfer-from-dfdaemon and '-O -'");
  }
  if (options.json && options.to_stdout()) {
    return Invalid("--json and '-O -' both write to stdout; leave one out");
  }
  return absl::OkStatus();
}

absl::StatusOr<Options> Check(RawFlags raw, bool has_content_for_task_id) {
  Options options = std::move(raw.options);
  if (raw.url.empty()) return Invalid("URL is required: what to download, http or https");
  if (options.output.empty())
    return Invalid("-O (--output) is required: a file to write, or '-' for stdout");
  if (absl::Status url = CheckUrl(raw.url, options); !url.ok()) return url;
  if (absl::Status numbers = CheckNumbers(raw, options); !numbers.ok()) return numbers;
  if (absl::Status end = CheckEndpoint(raw.endpoint, options); !end.ok()) return end;
  if (!options.digest.empty()) {
    const auto digest = common::digest::Digest::Parse(options.digest);
    if (!digest.ok()) return common::status::Annotate(digest.status(), "--digest");
    options.digest = digest->ToString();
  }
  // Upstream's lowest level is one that we don't have.
  const std::string level = raw.log_level == "trace" ? "debug" : raw.log_level;
  if (absl::Status parsed = common::log::ParseLevel(level, &options.log_level); !parsed.ok()) {
    return common::status::Annotate(parsed, "--log-level");
  }
  absl::StatusOr<HeaderMap> headers = ParseHeaders(raw.headers);
  if (!headers.ok()) return headers.status();
  options.headers = std::move(*headers);
  options.filtered_query_params = raw.filtered_query_params.empty()
                                      ? common::id::DefaultFilteredQueryParams()
                                      : std::move(raw.filtered_query_params);
  if (has_content_for_task_id) {
    if (raw.content_for_task_id.empty()) {
      return Invalid("--content-for-calculating-task-id: is empty; give a text or leave it out");
    }
    options.content_for_calculating_task_id = std::move(raw.content_for_task_id);
  }
  if (absl::Status tracing = CheckTracing(options); !tracing.ok()) return tracing;
  options.trace = TraceOfEnvironment();
  if (absl::Status together = CheckTogether(options); !together.ok()) return together;
  return options;
}

CommandLine UsageError(std::string_view message) {
  CommandLine line;
  line.exit_code = static_cast<int>(ExitCode::kUsage);
  line.text = absl::StrCat("dfget: ", Sv(message), "\n", "Run 'dfget --help' for the flags.\n");
  return line;
}

// What CLI11 ends with: help, version, or an error of form.
CommandLine Ended(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) return UsageError(common::log::RedactText(error.what()));
  CommandLine line;
  line.text = error.get_name() == "CallForVersion" ? absl::StrCat(error.what(), "\n") : app.help();
  return line;
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  RawFlags raw;
  CLI::App app("Downloads a file through the dfdaemon of this host, from peers and the origin.",
               "dfget");
  DefineFlags(app, raw);
  std::vector<CLI::Option*> unsupported;
  std::vector<std::string> ignored;
  for (const UnsupportedFlag& flag : kUnsupported) {
    CLI::Option* option = flag.takes_value
                              ? app.add_option(flag.name, ignored)->allow_extra_args(false)
                              : app.add_flag(flag.name);
    unsupported.push_back(option->group(""));  // not in the help
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Ended(app, error);
  }
  for (size_t i = 0; i < unsupported.size(); ++i) {
    if (unsupported[i]->count() == 0) continue;
    const std::string_view names = kUnsupported[i].name;
    return UsageError(StdView(absl::StrCat(Sv(names.substr(names.find("--"))),
                                           ": not supported by this version; leave it out")));
  }
  const bool has_content = app.count("--content-for-calculating-task-id") > 0;
  absl::StatusOr<Options> options = Check(std::move(raw), has_content);
  if (!options.ok()) {
    return UsageError(common::log::RedactText(common::status::MessageOf(options.status())));
  }
  CommandLine line;
  line.options = std::move(*options);
  return line;
}

}  // namespace dragonfly::dfget::cli
