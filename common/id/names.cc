#include "common/id/names.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/digest/hasher.h"
#include "common/status/strings.h"

namespace dragonfly::common::id {
namespace {

using status::Sv;

constexpr std::array<size_t, 4> kDashes = {8, 13, 18, 23};

}  // namespace

std::string MakeUuid(os::Env& env) {
  std::array<std::byte, 16> bytes{};
  const std::array<uint64_t, 2> random = {env.Random(), env.Random()};
  std::memcpy(bytes.data(), random.data(), bytes.size());
  bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};
  std::string text = digest::HexText(bytes);
  for (const size_t dash : kDashes) text.insert(dash, 1, '-');
  return text;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = std::string_view("0123456789abcdef").find(text[i]) != std::string_view::npos;
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

std::string MakeHostId(std::string_view ip, std::string_view hostname, bool seed) {
  return absl::StrCat(Sv(ip), "-", Sv(hostname), seed ? "-seed" : "");
}

std::string MakePeerId(std::string_view ip, std::string_view hostname, bool seed, os::Env& env) {
  return absl::StrCat(Sv(ip), "-", Sv(hostname), "-", MakeUuid(env), seed ? "-seed" : "");
}

std::string MakePieceId(std::string_view task_id, uint32_t number) {
  return absl::StrCat(Sv(task_id), "-", number);
}

}  // namespace dragonfly::common::id
