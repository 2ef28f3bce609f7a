#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dragonfly::tests::testing {

// A port of 127.0.0.1 that is free when it is looked up; it may be taken when it is used.
uint16_t FreePort();
// Somebody listens there.
bool Answers(uint16_t port);
// Starts `arguments[0]`, found by PATH, with its output appended to the file `log`. It ends with
// this process.
pid_t Spawn(const std::vector<std::string>& arguments, const std::string& log);
// A file's text, empty if there is none.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& text);

}  // namespace dragonfly::tests::testing
