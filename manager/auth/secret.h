#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/os/env.h"

namespace dragonfly::manager::auth {

// Bytes that must not get into logs, answers or core dumps by accident: cannot be printed, compared
// with == or turned into JSON, and are wiped when they go.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  // The bytes, for who must use them; valid as long as this is unchanged.
  std::string_view Reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

 private:
  void Wipe() noexcept;
  std::string bytes_;
};

// In a time that depends on the lengths only.
bool EqualInConstantTime(std::string_view a, std::string_view b);

using Mac = std::array<uint8_t, 32>;
// HMAC-SHA-256.
Mac HmacSha256(std::string_view key, std::string_view data);
std::string_view BytesOf(const Mac& mac);

// `count` bytes from the environment's randomness.
std::string RandomBytes(common::os::Env& env, size_t count);

}  // namespace dragonfly::manager::auth
