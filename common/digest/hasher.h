#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/digest/digest.h"

namespace dragonfly::common::digest {

// Computes one digest from bytes that arrive in order. One thread at a time. sha256 runs at about
// 2 GB/s and md5 and sha512 at less than 1: long inputs belong on a blocking pool.
class Hasher {
 public:
  // UNIMPLEMENTED for an algorithm that this build cannot compute (blake3, or one that the
  // cryptographic policy of the machine forbids).
  static absl::StatusOr<Hasher> Create(Algorithm algorithm);

  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void Update(std::span<const std::byte> data);
  void Update(std::string_view data);
  // The digest of everything so far; the hasher starts again from nothing.
  Digest Finish();

 private:
  struct State;
  explicit Hasher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Lower-case hexadecimal SHA-256 of `data`.
std::string Sha256Hex(std::string_view data);
std::string Sha256Hex(std::span<const std::byte> data);

std::string HexText(std::span<const std::byte> data);

}  // namespace dragonfly::common::digest
