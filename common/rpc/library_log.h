#pragma once

namespace dragonfly::common::rpc {

// From the first call on, what gRPC and Protobuf have to say goes to common/log: their errors are
// warnings of ours (they are about one connection or message), each place in their sources at most
// once a minute; the rest is debug. Cheap; any thread.
void LogLibraries();

}  // namespace dragonfly::common::rpc
