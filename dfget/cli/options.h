#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/log/log.h"
#include "common/trace/span_context.h"

namespace dragonfly::dfget::cli {

inline constexpr char kDefaultEndpoint[] = "/var/run/dragonfly/dfdaemon.sock";

// What the user asked for, checked (docs/guide/dfget.md is the manual).
struct Options {
  std::string url;                          // http or https
  std::string output;                       // as given; "-" is stdout
  std::string endpoint = kDefaultEndpoint;  // path of the daemon's unix socket
  absl::Duration timeout = absl::Hours(2);
  std::string digest;                          // "" = none
  std::map<std::string, std::string> headers;  // sent to the origin; may hold credentials
  std::optional<uint64_t> piece_length;        // bytes
  std::string tag;
  std::string application;
  int priority = 6;
  std::vector<std::string> filtered_query_params;
  std::optional<std::string> content_for_calculating_task_id;
  bool overwrite = false;
  bool force_hard_link = false;
  bool disable_back_to_source = false;
  // The bytes come over the socket and this program writes the file, with its own rights and in its
  // own file system.
  bool transfer_from_dfdaemon = false;
  // Receiver of our own spans (OTLP over gRPC), host:port; empty: none are made.
  std::string tracing_endpoint;
  common::trace::SpanContext trace;  // what the download is part of; not valid: nothing
  bool no_progress = false;
  bool json = false;
  bool console = false;
  common::log::Level log_level = common::log::Level::kInfo;

  bool to_stdout() const { return output == "-"; }
  bool needs_content() const { return transfer_from_dfdaemon || to_stdout(); }
};

}  // namespace dragonfly::dfget::cli
