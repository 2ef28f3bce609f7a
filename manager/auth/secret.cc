#include "manager/auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace dragonfly::manager::auth {

void Secret::Wipe() noexcept { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe();
    bytes_ = other.bytes_;
  }
  return *this;
}

// Short strings live inside the object: moving copies them, so what is left behind is wiped too.
Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_) {
  other.Wipe();
  other.bytes_.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    bytes_ = other.bytes_;
    other.Wipe();
    other.bytes_.clear();
  }
  return *this;
}

Secret::~Secret() { Wipe(); }

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Mac HmacSha256(std::string_view key, std::string_view data) {
  Mac mac{};
  unsigned int length = 0;
  // Fails for want of memory only; an all-zero code would then be believed, so there is no going
  // on.
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           static_cast<const unsigned char*>(static_cast<const void*>(data.data())), data.size(),
           mac.data(), &length) == nullptr ||
      length != mac.size()) {
    std::abort();
  }
  return mac;
}

std::string_view BytesOf(const Mac& mac) {
  return {static_cast<const char*>(static_cast<const void*>(mac.data())), mac.size()};
}

std::string RandomBytes(common::os::Env& env, size_t count) {
  std::string bytes(count, '\0');
  for (size_t at = 0; at < count; at += sizeof(uint64_t)) {
    const uint64_t random = env.Random();
    std::memcpy(bytes.data() + at, &random, std::min(sizeof random, count - at));
  }
  return bytes;
}

}  // namespace dragonfly::manager::auth
