#pragma once

#include <optional>
#include <string>

#include "dfget/cli/options.h"

namespace dragonfly::dfget::cli {

// What a command line says: options, or a text to print and the code to exit with.
struct CommandLine {
  std::optional<Options> options;
  int exit_code = 0;
  std::string text;  // without options: help or version for stdout (0), or an error for stderr
};

// Flags win over the environment (DFGET_...), which wins over the defaults. An error names flag,
// value and remedy. Reads the files that --header names.
CommandLine ParseCommandLine(int argc, const char* const* argv);

}  // namespace dragonfly::dfget::cli
