#pragma once

namespace dragonfly::dfdaemon::transfer::grpc {

// Lets the process keep the memory of messages that it has read, for the next ones. gRPC takes it
// from malloc and gives it back with every message; glibc then returns it to the kernel and gets it
// back as zeroed pages, one fault each, which costs a child a third of its CPU time
// (tests/bench/transfer). Up to 32 MiB stay in the process; all threads share one arena, because
// each would keep as much.
//
// Process-wide: for programs that fetch pieces with GrpcPieceClient, once, at the start.
void KeepReceivedMemory();

}  // namespace dragonfly::dfdaemon::transfer::grpc
