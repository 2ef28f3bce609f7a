#include "common/rpc/library_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "common/log/log.h"

namespace dragonfly::common::rpc {
namespace {

namespace log = common::log;
using log::kv;

void Tell(const char* library, bool severe, const char* file, int line, const std::string& text) {
  const std::string place = std::string(file) + ":" + std::to_string(line);
  if (!severe) {
    log::Debug("from a library", kv("library", library), kv("place", place), kv("text", text));
    return;
  }
  uint64_t suppressed = 0;
  if (!log::OncePerMinute(place, &suppressed)) return;
  log::Warning("from a library", kv("library", library), kv("place", place), kv("text", text),
               kv("suppressed", suppressed));
}

void FromGrpc(gpr_log_func_args* said) {
  Tell("grpc", said->severity == GPR_LOG_SEVERITY_ERROR, said->file, said->line, said->message);
}

void FromProtobuf(::google::protobuf::LogLevel level, const char* file, int line,
                  const std::string& text) {
  Tell("protobuf", level >= ::google::protobuf::LOGLEVEL_WARNING, file, line, text);
}

}  // namespace

void LogLibraries() {
  static const bool once = [] {
    gpr_set_log_function(&FromGrpc);
    ::google::protobuf::SetLogHandler(&FromProtobuf);
    return true;
  }();
  (void)once;
}

}  // namespace dragonfly::common::rpc
