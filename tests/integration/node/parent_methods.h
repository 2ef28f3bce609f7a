#pragma once

#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::dfdaemon::node {

// What a parent answers to a dialer, of all kinds of task. The whole service would take four
// seconds more to compile in every source that constructs one.
using ParentMethods = ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPieces<
    ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPersistentPieces<
        ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncPersistentCachePieces<
            ::dfdaemon::v2::DfdaemonUpload::WithCallbackMethod_SyncHost<
                ::dfdaemon::v2::DfdaemonUpload::Service>>>>;

}  // namespace dragonfly::dfdaemon::node
