#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/os/env.h"

namespace dragonfly::common::id {

// 8-4-4-4-12 lower-case hexadecimal characters, version 4.
std::string MakeUuid(os::Env& env);
bool IsUuid(std::string_view text);

// "<ip>-<hostname>", with "-seed" behind it for a seed peer.
std::string MakeHostId(std::string_view ip, std::string_view hostname, bool seed);
// "<ip>-<hostname>-<uuid>", with "-seed" behind it on a seed peer: one download on one host.
std::string MakePeerId(std::string_view ip, std::string_view hostname, bool seed, os::Env& env);
// "<task id>-<number>".
std::string MakePieceId(std::string_view task_id, uint32_t number);

}  // namespace dragonfly::common::id
