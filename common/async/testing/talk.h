#pragma once

#include <string>
#include <string_view>

#include "common/async/runtime.h"
#include "common/net/endpoint.h"

namespace dragonfly::common::async::testing {

// Connects, sends `text` and returns what comes until the other side closes or, if it is not empty,
// `until` is seen. A minute without that is a failure of the test. Blocks: not from the executor.
std::string Talk(Executor executor, const net::Endpoint& to, std::string_view text,
                 std::string_view until = "");

}  // namespace dragonfly::common::async::testing
