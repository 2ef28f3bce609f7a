#pragma once

#include <string>
#include <string_view>

namespace dragonfly::common::version {

// "0.1.0".
std::string_view Version();
// Abbreviated commit the sources were at, with "-dirty" when they differed from it; "unknown"
// without git.
std::string_view Commit();
// "g++ 12.2.0".
std::string Compiler();
// What --version prints: "dfget 0.1.0 (commit 1a2b3c4d5e6f, g++ 12.2.0)".
std::string Line(std::string_view program);

}  // namespace dragonfly::common::version
