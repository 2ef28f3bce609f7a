#pragma once

// Everything a gRPC service or client source needs. Costs seconds to compile: for *.cc only;
// headers name streams through stream.h.

#include "common/rpc/client_reactor.h"
#include "common/rpc/server_reactor.h"
#include "common/rpc/server_unary.h"
