#pragma once

#include <memory>

#include "common/os/env.h"
#include "common/otlp/exporter_options.h"
#include "common/trace/exporter.h"

namespace dragonfly::common::otlp {

// OTLP over gRPC: TraceService/Export. `clock` outlives it.
std::unique_ptr<trace::Exporter> MakeGrpcExporter(ExporterOptions options, const os::Clock& clock);

}  // namespace dragonfly::common::otlp
