#include "common/os/unclosed_file.h"

#include <atomic>
#include <cstdio>

namespace dragonfly::common::os {
namespace {

void PrintUnclosedFile(std::string_view path) {
  std::fprintf(stderr, "bug: %.*s was written and not closed\n", static_cast<int>(path.size()),
               path.data());
}

std::atomic<UnclosedFileHandler> g_handler = &PrintUnclosedFile;

}  // namespace

UnclosedFileHandler SetUnclosedFileHandler(UnclosedFileHandler handler) {
  return g_handler.exchange(handler == nullptr ? &PrintUnclosedFile : handler);
}

void ReportUnclosedFile(std::string_view path) { g_handler.load()(path); }

}  // namespace dragonfly::common::os
