#include "common/digest/hasher.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::digest {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const EVP_MD* MethodOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kMd5:
      return EVP_md5();
    case Algorithm::kSha1:
      return EVP_sha1();
    case Algorithm::kSha256:
      return EVP_sha256();
    case Algorithm::kSha512:
      return EVP_sha512();
    case Algorithm::kCrc32:
    case Algorithm::kBlake3:
      break;
  }
  return nullptr;
}

}  // namespace

struct Hasher::State {
  Algorithm algorithm = Algorithm::kCrc32;
  uint32_t crc = 0;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context;  // null for crc32

  bool Start() {
    crc = 0;
    return !context || EVP_DigestInit_ex(context.get(), MethodOf(algorithm), nullptr) == 1;
  }
};

Hasher::Hasher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

absl::StatusOr<Hasher> Hasher::Create(Algorithm algorithm) {
  auto state = std::make_unique<State>();
  state->algorithm = algorithm;
  if (algorithm != Algorithm::kCrc32) {
    if (MethodOf(algorithm) != nullptr) state->context.reset(EVP_MD_CTX_new());
    if (!state->context || !state->Start()) {
      return status::MakeStatus(
          absl::StatusCode::kUnimplemented, status::ErrorReason::kInvalidArgument,
          status::StdView(absl::StrCat("digest algorithm ", status::Sv(AlgorithmName(algorithm)),
                                       " cannot be computed here; use sha256")));
    }
  }
  return Hasher(std::move(state));
}

void Hasher::Update(std::span<const std::byte> data) {
  if (!state_->context) {
    state_->crc = Crc32(data, state_->crc);
    return;
  }
  // Fails only for a context that was never initialised, which Create rules out. Going on with a
  // wrong digest would turn that bug into corrupt content.
  if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1) std::abort();
}

void Hasher::Update(std::string_view data) {
  Update(std::as_bytes(std::span(data.data(), data.size())));
}

Digest Hasher::Finish() {
  if (!state_->context) return Digest::FromCrc32(std::exchange(state_->crc, 0));
  std::array<std::byte, EVP_MAX_MD_SIZE> value{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(value.data()),
                         &size) != 1 ||
      !state_->Start()) {
    std::abort();
  }
  return Digest{state_->algorithm, HexText(std::span(value).first(size))};
}

std::string Sha256Hex(std::span<const std::byte> data) {
  std::array<std::byte, EVP_MAX_MD_SIZE> value{};
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(value.data()), &size,
                 EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return HexText(std::span(value).first(size));
}

std::string Sha256Hex(std::string_view data) {
  return Sha256Hex(std::as_bytes(std::span(data.data(), data.size())));
}

std::string HexText(std::span<const std::byte> data) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(data.size() * 2);
  for (const std::byte byte : data) {
    text.push_back(kDigits[std::to_integer<size_t>(byte >> 4U)]);
    text.push_back(kDigits[std::to_integer<size_t>(byte & std::byte{15})]);
  }
  return text;
}

}  // namespace dragonfly::common::digest
