#pragma once

#include <memory>

namespace grpc {
class CallbackGenericService;
}  // namespace grpc

namespace dragonfly::common::rpc {

// What answers calls of methods that no service serves: UNIMPLEMENTED, with the name of the method.
// One for a server, outlives it. Threading: gRPC's threads.
std::unique_ptr<::grpc::CallbackGenericService> MakeUnservedMethods();

}  // namespace dragonfly::common::rpc
