#pragma once

#include <memory>

#include "common/rpc/stream.h"
#include "dfdaemon/service/download_request.h"
#include "dfdaemon/service/service_deps.h"
#include "dfdaemon/service/task_stream.h"

namespace dragonfly::dfdaemon::service {

// The DownloadTask call of both services.

// With content in the messages the queue is kept short: it holds whole pieces.
common::rpc::StreamOptions DownloadStreamOptions(const ::dfdaemon::v2::DownloadTaskRequest& request,
                                                 common::rpc::CallGate* gate);

// Starts the request behind a call; null after the call was refused.
std::shared_ptr<common::rpc::StreamEvents> OpenDownload(const ServiceDeps& deps,
                                                        std::shared_ptr<TaskStream::Stream> stream,
                                                        const ::common::v2::Download& download,
                                                        const Caller& caller);

}  // namespace dragonfly::dfdaemon::service
