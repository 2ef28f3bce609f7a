#pragma once

#include <memory>

#include "dfdaemon/service/service_deps.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace dragonfly::dfdaemon::service {

// dfdaemon.v2.DfdaemonDownload, for tools on this host (unix socket): downloads, and questions
// about tasks here and in the cluster. Calls that this version does not know answer UNIMPLEMENTED.
std::unique_ptr<::grpc::Service> MakeDownloadService(ServiceDeps deps);

}  // namespace dragonfly::dfdaemon::service
