#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace dragonfly::common::oci {

// What an image is built for: "linux/amd64", "linux/arm/v7".
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // empty: none, or it does not matter

  std::string ToString() const;
  friend bool operator==(const Platform&, const Platform&) = default;
};

// "os/architecture" or "os/architecture/variant"; other names of architectures that tools take
// ("x86_64", "aarch64", "armhf") become those of images. INVALID_ARGUMENT names what is wrong.
absl::StatusOr<Platform> ParsePlatform(std::string_view text);
// In the names of images: "x86_64" is "amd64", "arm" without variant is v7, "arm64" without is v8.
Platform Normalised(Platform platform);
// Linux on the processor that this program was built for.
Platform OwnPlatform();

// How well an image for `built` runs on `wanted`: 0 not at all, else the more the better. An ARM
// runs what was built for older ones, down to v5; arm64 also what was built for 32 bits.
int Fitness(const Platform& wanted, const Platform& built);

}  // namespace dragonfly::common::oci
