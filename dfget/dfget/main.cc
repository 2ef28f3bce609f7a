#include "dfget/cli/program.h"

int main(int argc, char** argv) { return dragonfly::dfget::cli::Main(argc, argv); }
