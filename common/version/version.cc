#include "common/version/version.h"

#include "common/version/commit.inc"

namespace dragonfly::common::version {

std::string_view Version() { return DRAGONFLY_VERSION; }

std::string_view Commit() { return kCommit; }

std::string Compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string Line(std::string_view program) {
  std::string line(program);
  line += ' ';
  line += Version();
  line += " (commit ";
  line += Commit();
  line += ", ";
  line += Compiler();
  line += ')';
  return line;
}

}  // namespace dragonfly::common::version
