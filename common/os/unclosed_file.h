#pragma once

#include <string_view>

namespace dragonfly::common::os {

// Called with the path of a writable file that is destroyed without Close(): a bug of the caller,
// since the kernel reports lost writes there. The default prints a line to standard error; a
// program points it at its log, a test counts. May be called from any thread; must not throw.
using UnclosedFileHandler = void (*)(std::string_view path);
// Returns the previous handler.
UnclosedFileHandler SetUnclosedFileHandler(UnclosedFileHandler handler);
void ReportUnclosedFile(std::string_view path);

}  // namespace dragonfly::common::os
