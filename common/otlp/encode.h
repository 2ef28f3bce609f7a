#pragma once

#include "common/trace/exporter.h"

namespace opentelemetry::proto::collector::trace::v1 {
class ExportTraceServiceRequest;
}

namespace dragonfly::common::otlp {

// `batch` as one message. Pure.
void Encode(const trace::Resource& resource, const trace::Batch& batch,
            ::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest& out);

}  // namespace dragonfly::common::otlp
