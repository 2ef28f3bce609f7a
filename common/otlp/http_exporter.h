#pragma once

#include <memory>

#include "common/otlp/exporter_options.h"
#include "common/trace/exporter.h"

namespace dragonfly::common::otlp {

// OTLP over HTTP or HTTPS: POST of the message in protobuf's form.
std::unique_ptr<trace::Exporter> MakeHttpExporter(ExporterOptions options);

}  // namespace dragonfly::common::otlp
