#include "common/otlp/exporter_options.h"

#include "common/http/headers.h"
#include "common/status/reason.h"

namespace dragonfly::common::otlp {

absl::Status CheckHeaders(const std::map<std::string, std::string>& headers) {
  for (const auto& [name, value] : headers) {
    std::string why;
    // gRPC ends the process for a name that it does not like.
    if (!http::IsFieldName(name) || name.size() > 128 ||
        name.find_first_of("!#$%&'*+^`|~") != std::string::npos) {
      why = "is not the name of a header";
    } else if (name.starts_with("grpc-") || name.starts_with(':') || http::SameName(name, "te") ||
               http::SameName(name, "content-type") || http::SameName(name, "content-length") ||
               http::SameName(name, "host")) {
      why = "is set by the transport";
    } else if (!http::IsFieldValue(value)) {
      why = "has a value with control characters";
    }
    for (const char c : value) {
      if (static_cast<unsigned char>(c) >= 0x7f) why = "has a value that is not ASCII";
    }
    if (why.empty()) continue;
    return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                              status::ErrorReason::kInvalidArgument,
                              "tracing.headers: '" + name + "' " + why + "; remove or change it");
  }
  return absl::OkStatus();
}

}  // namespace dragonfly::common::otlp
