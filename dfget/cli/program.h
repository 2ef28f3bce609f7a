#pragma once

namespace dragonfly::dfget::cli {

// The program dfget. Returns its exit code (exit_code.h). `argv` must be the process's own: secrets
// in it are overwritten.
int Main(int argc, char** argv);

}  // namespace dragonfly::dfget::cli
