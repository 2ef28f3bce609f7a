#include "common/oci/platform.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::oci {
namespace {

using status::Sv;

constexpr size_t kMostBytes = 128;
constexpr int kOldestArm = 5;
constexpr int kExact = 100;

struct Alias {
  std::string_view other;
  std::string_view architecture;
  std::string_view variant;
};
constexpr std::array<Alias, 7> kAliases = {{{"x86_64", "amd64", ""},
                                            {"x86-64", "amd64", ""},
                                            {"i386", "386", ""},
                                            {"aarch64", "arm64", ""},
                                            {"armhf", "arm", "v7"},
                                            {"armel", "arm", "v6"},
                                            {"i686", "386", ""}}};

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

// "v7" is 7; 0: something else.
int ArmVersion(std::string_view variant) {
  if (!variant.starts_with('v')) return 0;
  return status::ParseInteger<int>(variant.substr(1)).value_or(0);
}

}  // namespace

std::string Platform::ToString() const {
  return absl::StrCat(os, "/", architecture, variant.empty() ? "" : "/", variant);
}

absl::StatusOr<Platform> ParsePlatform(std::string_view text) {
  Platform platform;
  const size_t first = text.find('/');
  const size_t second = first == std::string_view::npos ? first : text.find('/', first + 1);
  platform.os = std::string(text.substr(0, first));
  if (first != std::string_view::npos) {
    platform.architecture = std::string(text.substr(first + 1, second - first - 1));
  }
  if (second != std::string_view::npos) platform.variant = std::string(text.substr(second + 1));
  const bool whole = second == std::string_view::npos || IsName(platform.variant);
  if (text.size() > kMostBytes || !whole || !IsName(platform.os) ||
      !IsName(platform.architecture)) {
    return status::Invalid(status::StdView(
        absl::StrCat("platform: \"", Sv(text.substr(0, kMostBytes)),
                     "\" is none; write it as os/architecture, such as linux/amd64")));
  }
  return Normalised(std::move(platform));
}

Platform Normalised(Platform platform) {
  const auto alias = std::find_if(kAliases.begin(), kAliases.end(), [&](const Alias& one) {
    return one.other == platform.architecture;
  });
  if (alias != kAliases.end()) {
    platform.architecture = std::string(alias->architecture);
    if (platform.variant.empty()) platform.variant = std::string(alias->variant);
  }
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  if (platform.architecture == "arm64" && platform.variant.empty()) platform.variant = "v8";
  return platform;
}

Platform OwnPlatform() {
  Platform own;
  own.os = "linux";
#if defined(__aarch64__)
  own.architecture = "arm64";
#elif defined(__arm__)
  own.architecture = "arm";
#elif defined(__i386__)
  own.architecture = "386";
#elif defined(__riscv)
  own.architecture = "riscv64";
#elif defined(__powerpc64__)
  own.architecture = "ppc64le";
#elif defined(__s390x__)
  own.architecture = "s390x";
#else
  own.architecture = "amd64";
#endif
  return Normalised(std::move(own));
}

int Fitness(const Platform& wanted, const Platform& built) {
  const Platform to = Normalised(wanted);
  const Platform from = Normalised(built);
  if (to.os != from.os) return 0;
  if (to.architecture == from.architecture && to.variant == from.variant) return kExact;
  const bool arm = to.architecture == "arm" || to.architecture == "arm64";
  if (!arm) {
    // A variant (amd64/v2) narrows down; without one it runs everywhere.
    return to.architecture == from.architecture && from.variant.empty() ? kExact / 2 : 0;
  }
  if (from.architecture != "arm" && from.architecture != to.architecture) return 0;
  const int newest =
      to.architecture == "arm64" ? std::max(ArmVersion(to.variant), 8) : ArmVersion(to.variant);
  const int version = ArmVersion(from.variant);
  return version >= kOldestArm && version <= newest ? version : 0;
}

}  // namespace dragonfly::common::oci
